import type { Page } from 'playwright-core'

// A small check of what a page owes to who listens to it, uses keys, or sees little contrast: rules of WCAG 2.2 that can be
// measured. Runs within the page.

/** What is wrong with what is shown now, a line each. */
export function complaints(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    type Color = [red: number, green: number, blue: number, alpha: number]
    const found: string[] = []
    const all = [...document.querySelectorAll<HTMLElement>('body *')]
    const seen = all.filter(
      (each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest('[aria-hidden=true]'),
    )
    const nameOf = (each: Element) =>
      each.getAttribute('aria-label') ||
      (each.getAttribute('aria-labelledby') ?? '')
        .split(' ')
        .map((id) => document.getElementById(id)?.textContent ?? '')
        .join('') ||
      [...((each as HTMLInputElement).labels ?? [])].map((label) => label.textContent).join('') ||
      each.getAttribute('alt') ||
      each.textContent?.trim() ||
      [...each.querySelectorAll('img')].map((image) => image.alt).join('')
    const say = (each: Element, what: string) => found.push(`${what}: ${each.outerHTML.slice(0, 120)}`)

    // 4.1.2, 1.1.1: names
    for (const each of seen.filter((each) => each.matches('a, button, input, select, canvas, summary, [tabindex="0"]')))
      if (!nameOf(each)) say(each, 'has no name')
    for (const each of seen.filter((each) => each.matches('img')))
      if (!each.hasAttribute('alt')) say(each, 'has no alt')
    for (const each of seen.filter((each) => each.matches('nav, section, aside, search, form')))
      if (each.matches('nav, section, aside') && !nameOf(each)) say(each, 'is a landmark without a name')
    // 1.3.1: structure
    for (const [tag, count] of Object.entries({ main: 1, header: 1, h1: 1 }))
      if (document.querySelectorAll(tag).length !== count) found.push(`there is not ${count} ${tag}`)
    const levels = seen.filter((each) => /^H\d$/.test(each.tagName)).map((each) => Number(each.tagName[1]))
    levels.forEach((level, i) => {
      if (level > (levels[i - 1] ?? 0) + 1)
        found.push(`a heading of level ${level} follows ${levels[i - 1] ?? 'nothing'}`)
    })
    const ids = all.map(({ id }) => id).filter((id) => id !== '')
    if (new Set(ids).size !== ids.length) found.push(`ids are taken twice: ${ids.join(' ')}`)
    if (document.documentElement.lang === '') found.push('the language is not said')
    if (document.title === '') found.push('there is no title')
    // 1.4.10: no scrolling in two directions
    if (document.documentElement.scrollWidth > innerWidth)
      found.push(`the page is ${document.documentElement.scrollWidth} px wide`)

    // 1.4.3: contrast of text
    const colorOf = (text: string): Color => {
      const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number)
      return [red, green, blue, alpha]
    }
    const groundOf = (each: Element | null): Color => {
      for (let at = each; at; at = at.parentElement) {
        const color = colorOf(getComputedStyle(at).backgroundColor)
        if (color[3] === 1) return color
      }
      return [255, 255, 255, 1]
    }
    const light = ([red, green, blue]: Color) => {
      const [r, g, b] = [red, green, blue].map((value) => {
        const share = value / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      }) as [number, number, number]
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    for (const each of seen) {
      const text = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim())
      if (!text || each.matches('option, :disabled, :disabled *')) continue
      const style = getComputedStyle(each)
      const [one, other] = [light(colorOf(style.color)), light(groundOf(each))]
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
      const large = Number.parseFloat(style.fontSize) >= 24
      if (contrast < (large ? 3 : 4.5)) say(each, `has a contrast of ${contrast.toFixed(2)}`)
    }
    return found
  })
}
