import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { UserError } from '../errors.ts'
import { rememberedAddon } from './build.ts'
import { autocast, describeMachine, hasFastBf16, planCompute } from './device.ts'
import { native } from './native.ts'
import { Random } from './random.ts'
import { scope } from './scope.ts'
import { liveTensors, noGrad, operator, parameter, tensor, zeros } from './tensor.ts'

const conv2d = operator('conv2d')
const gpus = native().cudaDevices()

describe('planCompute', () => {
  it('settles what was left open', () => {
    const plan = planCompute({ device: 'auto', precision: 'auto', threads: 0 })
    expect(plan.device).toBe(gpus > 0 ? 'cuda:0' : 'cpu')
    expect(plan.precision).toBe(hasFastBf16(plan.device) ? 'bf16' : 'fp32')
    expect(plan.threads).toBe(availableParallelism())
  })

  it('keeps what was chosen', () => {
    const wish = { device: 'cpu', precision: 'fp32', threads: 3 } as const
    expect(planCompute(wish)).toEqual(wish)
  })

  it.each(['tpu', 'cuda:', 'cuda:x', 'gpu', 'CPU', ''])("refuses device '%s'", (name) => {
    const plan = () => planCompute({ device: name, precision: 'auto', threads: 1 })
    expect(plan).toThrow(UserError)
    expect(plan).toThrow(`Cannot use device '${name}': it is 'auto', 'cpu' or 'cuda:N'`)
  })

  it('refuses a GPU that is not there, and says how many are', () => {
    const plan = () => planCompute({ device: 'cuda:99', precision: 'auto', threads: 1 })
    expect(plan).toThrow(`Cannot use device 'cuda:99': this libtorch sees ${gpus} GPUs`)
  })
})

describe('autocast', () => {
  const random = new Random(1)
  const make = (shape: number[]) => parameter(random.normalTensor(shape).to({ device }))
  const run = (input: ReturnType<typeof make>, weight: ReturnType<typeof make>, precision: 'fp32' | 'bf16' = 'bf16') =>
    autocast({ device, precision }, () => conv2d(input, weight, null, [1, 1], [1, 1]))

  it('convolves in bf16 and leaves weights and their gradients in fp32', () => {
    scope(() => {
      const [input, weight] = [make([2, 3, 8, 8]), make([4, 3, 3, 3])]
      const output = run(input, weight)
      expect([output.dtype, weight.dtype]).toEqual(['bfloat16', 'float32'])
      output.to({ dtype: 'float32' }).sum().backward()
      expect(weight.grad?.dtype).toBe('float32')
      const exact = run(input, weight, 'fp32')
      expect(exact.dtype).toBe('float32')
      expect(output.sub(exact).abs().max().item()).toBeLessThan(0.02 * exact.abs().max().item())
      for (const each of [input, weight]) each.free()
    })
  })

  it('follows weights that change, inside one block and from one to the next', () => {
    scope(() => {
      const [input, weight] = [make([1, 3, 8, 8]), make([4, 3, 3, 3])]
      const before = run(input, weight)
      noGrad(() => weight.mul_(2))
      const after = run(input, weight)
      expect(after.numbers()).toEqual(before.mul(2).numbers())
      autocast({ device, precision: 'bf16' }, () => {
        const first = conv2d(input, weight, null, [1, 1], [1, 1])
        noGrad(() => weight.mul_(0.5))
        const second = conv2d(input, weight, null, [1, 1], [1, 1])
        expect(second.mul(2).numbers()).toEqual(first.numbers())
      })
      for (const each of [input, weight]) each.free()
    })
  })

  it('is off again afterwards, also after an exception', () => {
    scope(() => {
      const [input, weight] = [make([1, 3, 8, 8]), make([4, 3, 3, 3])]
      const failing = () =>
        autocast({ device, precision: 'bf16' }, () => {
          throw new Error('on purpose')
        })
      expect(failing).toThrow('on purpose')
      expect(conv2d(input, weight).dtype).toBe('float32')
      for (const each of [input, weight]) each.free()
    })
  })
})

describe('describeMachine', () => {
  it('tells what a result depends on', () => {
    const machine = describeMachine()
    expect(machine.libtorch).toMatch(/^\d+\.\d+\.\d+/)
    expect(machine.node).toBe(process.version)
    expect(machine.gpus.length).toBe(gpus)
    for (const each of [machine.processor, machine.kernels, machine.blas]) expect(each).not.toBe('')
  })
})

// The addon by itself, as plain JavaScript: these run outside of vitest's transformation.
const addon = () => {
  native()
  return rememberedAddon() as string
}
const convolve = `
  const convolve = (torch) => {
    const values = (count) => Float32Array.from({ length: count }, (_, i) => Math.sin(i))
    const image = torch.fromBytes(values(2 * 3 * 8 * 8), [2, 3, 8, 8], 6)
    const weight = torch.fromBytes(values(4 * 3 * 3 * 3), [4, 3, 3, 3], 6)
    torch.call(torch.find('requires_grad_')[0], weight, true)
    torch.backward(torch.call(torch.find('sum')[0], torch.call(torch.find('conv2d')[0], image, weight)))
    return new Float32Array(torch.toBytes(torch.gradientsOf([weight])[0])).reduce((a, b) => a + Math.abs(b), 0)
  }`

describe('the addon', () => {
  const decode = `
    const decode = async (sharp) => {
      const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#c08040' } }).png().toBuffer()
      const { data, info } = await sharp(png).resize(8, 8).raw().toBuffer({ resolveWithObject: true })
      return [info.width, info.height, ...data.subarray(0, 3)]
    }`
  const finish = 'decode(sharp).then((pixels) => console.log(JSON.stringify([pixels, convolve(torch)])))'
  it.each([
    ['after sharp', (path: string) => `const sharp = require('sharp'); const torch = require('${path}')`],
    ['before sharp', (path: string) => `const torch = require('${path}'); const sharp = require('sharp')`],
  ])('works in one process with sharp, loaded %s', (_, load) => {
    const script = `${convolve}; ${decode}; ${load(addon())}; ${finish}`
    const cwd = new URL('../..', import.meta.url)
    const [pixels, gradient] = JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', cwd }))
    expect(pixels).toEqual([8, 8, 0xc0, 0x80, 0x40])
    const torch = createRequire(import.meta.url)(addon())
    const here = new Function('torch', `${convolve}; return convolve(torch)`)(torch) as number
    expect(gradient).toBeCloseTo(here, 3)
  })

  it('works in a worker thread and keeps its state apart', async () => {
    const mine = tensor([1, 2], [2])
    const before = liveTensors()
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      ${convolve}
      const torch = require(workerData.addon)
      const live = torch.liveCount()
      let stranger
      try { stranger = torch.shape(workerData.handle) } catch (error) { stranger = error.message }
      parentPort.postMessage({ live, stranger, gradient: convolve(torch) })`
    const worker = new Worker(code, { eval: true, workerData: { addon: addon(), handle: mine.handle } })
    const answer = await new Promise<{ live: number; stranger: string; gradient: number }>((resolve, reject) => {
      worker.on('message', resolve)
      worker.on('error', reject)
    })
    await worker.terminate()
    expect(answer.live).toBe(0)
    expect(answer.stranger).toContain('used after it was freed')
    expect(answer.gradient).toBeGreaterThan(0)
    expect(liveTensors()).toBe(before)
    expect(mine.numbers()).toEqual([1, 2])
    mine.free()
  })

  it('computes in two worker threads at once', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      ${convolve}
      const torch = require(workerData.addon)
      let sum = 0
      for (let i = 0; i < 50; i++) sum += convolve(torch)
      parentPort.postMessage(sum / 50)`
    const run = () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(code, { eval: true, workerData: { addon: addon() } })
        worker.on('message', resolve)
        worker.on('error', reject)
      })
    const [a, b] = await Promise.all([run(), run()])
    expect(a).toBe(b)
    scope(() => expect(zeros([1]).item()).toBe(0))
  })
})
