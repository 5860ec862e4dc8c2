/** Seconds as a person would say them: 48 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** Bytes as a person would say them: 512 B, 1.2 GB. */
export function bytes(count: number): string {
  const steps = [' B', ' kB', ' MB', ' GB', ' TB']
  const step = Math.min(steps.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3))
  const value = count / 1000 ** step
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}${steps[step]}`
}
