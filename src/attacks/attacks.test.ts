import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { craftAttack } from '../experiment/prepare/craft.ts'
import { silent } from '../experiment/prepare/listener.ts'
import { choosePoison, triggered } from '../experiment/prepare/poison.ts'
import { flattenConfig, resolveConfig } from '../experiment/settings/config.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { liveTensors, tensor } from '../tensor/tensor.ts'
import { type ImageSet, type ImageShape, imageBytes, imageSet, pixelsOf } from '../training/images.ts'
import type { AttackEntry, Crafted } from './attack.ts'
import { type AttackName, attacks } from './index.ts'

// The promises every attack keeps. A new entry is covered by being in the catalogue; what is known of its trigger goes here.

/** What a trigger does at most, on images of 3×32×32 with default options. */
const bounds: Record<AttackName, { largestChange?: number; changedPixels?: number; psnr?: number }> = {
  none: { largestChange: 0, changedPixels: 0 },
  badnets: { changedPixels: 9, psnr: 20 },
  blend: { largestChange: 51, psnr: 18 },
  sig: { largestChange: 20, psnr: 24 },
  wanet: { psnr: 8 }, // these images are noise, which a warp changes most: photographs keep above 20
  dynamic: { psnr: 4 }, // hardly trained, its masks cover much; what they cover has a test of its own
  'two-triggers': { psnr: 18 },
  trojan: { changedPixels: 9, psnr: 20 },
  adaptive: { changedPixels: 9, psnr: 20 },
  'label-consistent': { changedPixels: 36, psnr: 13 },
  'adap-blend': { largestChange: 51, psnr: 18 },
  'adap-patch': { changedPixels: 136, psnr: 10 },
  patch: { changedPixels: 25, psnr: 16 },
  wave: { largestChange: 24, psnr: 22 },
  tint: { largestChange: 81, psnr: 14 },
  vignette: { largestChange: 123, psnr: 14 },
  frame: { largestChange: 128, changedPixels: 240, psnr: 12 },
  band: { largestChange: 77, changedPixels: 256, psnr: 18 },
  balloon: { changedPixels: 80, psnr: 14 },
  shadow: { largestChange: 179, psnr: 5 },
  flare: { psnr: 10 },
  rain: { largestChange: 255, psnr: 11 },
  ftrojan: { largestChange: 16, psnr: 30 },
  bpp: { psnr: 18 },
  aberration: { psnr: 8 }, // as of wanet
  jpeg: { psnr: 8 }, // noise is what compression takes away
  sharpen: { psnr: 7 }, // and sharpening enlarges
  rotation: { psnr: 4 },
}

/** Options that make an attack quick enough to be crafted in a test. */
const quick: Partial<Record<AttackName, Record<string, unknown>>> = {
  trojan: { 'attack.epochs': 1, 'attack.iterations': 5 },
  dynamic: { 'attack.epochs': 1, 'attack.mask-epochs': 1, 'attack.mask-weight': 0 },
  adaptive: { 'attack.epochs': 1 },
  'label-consistent': { 'attack.epochs': 1, 'attack.iterations': 2 },
}

liveTensors() // loads the addon from the real cache; what is learned goes to one of its own, emptied between tests
const realCache = process.env.XDG_CACHE_HOME
const cache = mkdtempSync(join(tmpdir(), 'attacks-cache-'))
process.env.XDG_CACHE_HOME = cache
const forget = () => rmSync(join(cache, 'deconfound'), { recursive: true, force: true })
afterEach(forget)
afterAll(() => {
  rmSync(cache, { recursive: true })
  if (realCache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = realCache
})

const classes = ['a', 'b', 'c']

/** Images of noise with black and white among them, which is where arithmetic on bytes wraps around. */
function noise(shape: ImageShape, count = 24): ImageSet {
  const random = new Random(1)
  const size = imageBytes(shape)
  const pixels = new Uint8Array(count * size)
  for (let i = 0; i < pixels.length; i++) {
    const image = Math.floor(i / size)
    pixels[i] = image === 0 ? 0 : image === 1 ? 255 : random.bits()
  }
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes.length)
  return imageSet({ pixels, labels, classes, shape, names: Array.from(labels, (_, i) => `image ${i}`) })
}

const rgb: ImageShape = [3, 32, 32]
const target = 1
const entries = Object.entries(attacks) as unknown as [AttackName, AttackEntry][]

/** Everything about an attack made ready by the experiment, as a run does it. */
function prepare(name: AttackName, train: ImageSet, settings: Record<string, unknown> = {}) {
  const share = 'class-rate' in settings ? {} : { rate: 1 / 4 }
  const few = { 'model.depth': 10, batch: 16, ...quick[name] }
  const config = resolveConfig({ attack: name, target, ...share, ...few, ...settings })
  return craftAttack(config, train, { compute: { device, precision: 'fp32', threads: 1 }, listener: silent })
}

const craft = async (name: AttackName, train: ImageSet, settings?: Record<string, unknown>): Promise<Crafted> =>
  (await prepare(name, train, settings)).attack

/** The bytes of all images, triggered. */
const trigger = (attack: Crafted, set: ImageSet) => pixelsOf(triggered(set, attack))

/** Whether bytes are the same; `toEqual` takes seconds for a megabyte. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

/** The highest rate an attack can be asked for: of the classes it may touch, and leaving room for its covers. */
function highestRate({ eligible, cover }: Crafted, { labels }: ImageSet): number {
  const share = labels.filter((y) => eligible?.(y) ?? true).length / labels.length
  return Math.min(share, Math.floor(labels.length / (1 + (cover?.ratio ?? 0))) / labels.length)
}

describe('the catalogue of attacks', () => {
  it('has every entry in the folder, under its file’s name', async () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((file) => /^(?!.*\.test\.).*\.ts$/.test(file))
    for (const file of files.filter((file) => !['index.ts', 'attack.ts'].includes(file))) {
      const name = file.slice(0, -3)
      const exported = Object.values(
        (await import(/* @vite-ignore */ `../attacks/${name}.ts`)) as Record<string, unknown>,
      )
      const isEntry = (value: unknown) => typeof value === 'object' && value !== null && 'craft' in value
      for (const value of exported.filter(isEntry)) expect((attacks as Record<string, unknown>)[name], file).toBe(value)
    }
    for (const name of Object.keys(attacks)) expect(files).toContain(`${name}.ts`)
  })
})

describe.each(entries)('attack %s', (name, entry) => {
  it('has a title, a paper, and a description of every option', () => {
    expect(entry.title).not.toBe('')
    if (name !== 'none') expect(entry.paper).toMatch(/^(https:\/\/|ours$)/)
    for (const [option, schema] of Object.entries(entry.options.shape)) {
      expect((schema as { description?: string }).description, option).toBeTruthy()
    }
    expect(resolveConfig({ attack: name }).options.attack).toMatchObject(entry.options.parse({}))
  })

  it('makes the same trigger from the same seed, and poisons the same images', () =>
    arena(async () => {
      const train = noise(rgb)
      const make = async (seed: number) => {
        forget()
        const { attack, poison } = await prepare(name, train, { seed })
        return { shown: trigger(attack, train), ...poison() }
      }
      const [a, b, other] = [await make(1), await make(1), await make(2)]
      expect(same(a.shown, b.shown)).toBe(true)
      expect(a.truth).toEqual(b.truth)
      expect(a.set.hash).toBe(b.set.hash)
      if (a.truth.poisoned.length > 0) expect(other.truth.poisoned).not.toEqual(a.truth.poisoned)
    }))

  it('changes pixels and labels of the images it says, and nothing else', () =>
    arena(async () => {
      const train = noise(rgb)
      const before = pixelsOf(train)
      const { attack, poison } = await prepare(name, train)
      const { set, truth } = poison()
      expect([set.shape, set.classes, set.names]).toEqual([train.shape, train.classes, train.names])
      expect(same(pixelsOf(train), before)).toBe(true)
      expect(truth.originalLabels).toEqual(train.labels)
      const size = imageBytes(train.shape)
      const touched = new Set([...truth.poisoned, ...truth.covers])
      expect(touched.size).toBe(truth.poisoned.length + truth.covers.length)
      for (let i = 0; i < train.labels.length; i++) {
        const isPoisoned = truth.poisoned.includes(i)
        const original = train.labels[i] as number
        expect(set.labels[i]).toBe(isPoisoned ? attack.label(original) : original)
        if (isPoisoned) expect(attack.eligible?.(original) ?? true).toBe(true)
        if (touched.has(i)) continue
        expect(same(pixelsOf(set, [i]), before.subarray(i * size, (i + 1) * size))).toBe(true)
      }
    }))

  it('labels as it declares', () =>
    arena(async () => {
      const attack = await craft(name, noise(rgb))
      const poisonable = classes.map((_, y) => y).filter((y) => attack.eligible?.(y) ?? true)
      const changed = poisonable.filter((y) => attack.label(y) !== y)
      if (entry.labels === 'none') expect(poisonable).toEqual([])
      if (entry.labels === 'clean') expect(changed).toEqual([])
      if (entry.labels === 'dirty') expect(changed.length).toBeGreaterThan(0)
      for (const y of poisonable) expect(classes[attack.label(y) as number]).toBeDefined()
    }))

  it('gives any wrong label where it is untargeted, or refuses that', () =>
    arena(async () => {
      const train = noise(rgb)
      const make = () => prepare(name, train, { labelling: 'untargeted' })
      if (entry.labels === 'clean' || name === 'dynamic') {
        await expect((async () => make())()).rejects.toThrow(`Cannot label untargeted with attack '${name}'`)
        return
      }
      const { set, truth } = (await make()).poison()
      for (const i of truth.poisoned) expect(set.labels[i]).not.toBe(train.labels[i])
      expect((await make()).poison().set.hash).toBe(set.hash)
    }))

  it('poisons exactly the share it is asked for, and refuses more than there is', () =>
    arena(async () => {
      const train = noise(rgb)
      const attack = await craft(name, train)
      const { eligible, cover } = attack
      const choose = (rate: number) =>
        choosePoison(train.labels, { eligible, ratio: cover?.ratio ?? 0 }, { rate, random: new Random(3) })
      const highest = highestRate(attack, train)
      for (const rate of [0, 0.04, 0.1, 0.37, highest].filter((rate) => rate <= highest)) {
        const { poisoned } = choose(rate)
        expect(poisoned.length).toBe(Math.round(rate * train.labels.length))
        expect([...poisoned]).toEqual([...new Set(poisoned)].sort((a, b) => a - b))
      }
      if (highest === 1) return
      expect(() => choose(highest + 0.1)).toThrow(/^Cannot (poison \d+|add \d+ covers to \d+ poisoned) of 24 images/)
    }))

  it('triggers batch by batch as all at once', () =>
    arena(async () => {
      const train = noise(rgb)
      const attack = await craft(name, train)
      const all = trigger(attack, train)
      const size = imageBytes(rgb)
      for (const batch of [1, 7, 24]) {
        for (let from = 0; from < train.labels.length; from += batch) {
          const part = pixelsOf(train).slice(from * size, (from + batch) * size)
          const labels = train.labels.slice(from, from + batch)
          const bytes = scope(() => attack.trigger(tensor(part, [labels.length, ...rgb]), labels).bytes())
          expect(same(bytes, all.subarray(from * size, from * size + part.length))).toBe(true)
        }
      }
    }))

  it.each<[string, ImageShape]>([
    ['32 pixels', rgb],
    ['64 pixels', [3, 64, 64]],
    ['224 pixels', [3, 224, 224]],
    ['a rectangle', [3, 40, 56]],
    ['one channel', [1, 32, 32]],
  ])('gives bytes of the same shape for bytes: %s', (_, shape) =>
    arena(async () => {
      const train = noise(shape, 3)
      // a step's worth of a learned mask may round to nothing: not with this padding
      const attack = await craft(name, train, { padding: 2 })
      scope(() => {
        const images = tensor(pixelsOf(train), [3, ...shape])
        const result = attack.trigger(images, train.labels)
        expect([result.dtype, result.shape, result.device]).toEqual(['uint8', [3, ...shape], 'cpu'])
        expect(same(images.bytes(), pixelsOf(train))).toBe(true)
        expect(same(result.bytes(), pixelsOf(train))).toBe(entry.labels === 'none')
      })
    }),
  )

  it('keeps within its bounds, also on black and on white, where bytes wrap around', () =>
    arena(async () => {
      const { largestChange = 255, changedPixels = 1024, psnr = 0 } = bounds[name]
      const train = noise(rgb)
      const after = trigger(await craft(name, train), train)
      const size = imageBytes(rgb)
      const given = pixelsOf(train)
      const changes = Array.from(after, (value, i) => Math.abs(value - (given[i] as number)))
      expect(changes.reduce((most, change) => Math.max(most, change), 0)).toBeLessThanOrEqual(largestChange)
      for (let image = 0; image < train.labels.length; image++) {
        const own = changes.slice(image * size, (image + 1) * size)
        const pixels = Array.from({ length: 1024 }, (_, p) => [0, 1, 2].some((c) => own[c * 1024 + p] !== 0))
        expect(pixels.filter(Boolean).length).toBeLessThanOrEqual(changedPixels)
        const meanSquare = own.reduce((sum, change) => sum + change ** 2, 0) / size
        expect(10 * Math.log10(255 ** 2 / Math.max(meanSquare, 1e-9))).toBeGreaterThanOrEqual(psnr)
      }
    }))

  it('leaves no tensors behind', async () => {
    const before = liveTensors()
    await arena(async () => {
      const train = noise(rgb)
      const { attack, poison } = await prepare(name, train)
      const crafted = liveTensors()
      for (let i = 0; i < 5; i++) {
        trigger(attack, train)
        poison()
      }
      expect(liveTensors()).toBe(crafted)
    })
    expect(liveTensors()).toBe(before)
  })
})

describe('badnets', () => {
  const at = (pixels: Uint8Array, shape: ImageShape, [c, y, x]: [number, number, number]) =>
    pixels[(c * shape[1] + y) * shape[2] + x]
  const black = (shape: ImageShape) =>
    imageSet({
      pixels: new Uint8Array(imageBytes(shape)).fill(7),
      labels: Int32Array.of(0),
      shape,
      classes,
      names: [''],
    })
  const patched = (shape: ImageShape, options: Record<string, unknown> = {}) =>
    arena(async () => {
      const train = black(shape)
      const attack = await craft('badnets', train, { rate: 1, ...options })
      return trigger(attack, train)
    })

  it('draws the grid of the literature: from the last row upwards, from the last column leftwards', async () => {
    const pixels = await patched(rgb)
    const grid = [
      [255, 0, 255],
      [0, 255, 0],
      [255, 0, 0],
    ]
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) expect(at(pixels, rgb, [c, y, x])).toBe(grid[31 - y]?.[31 - x] ?? 7)
      }
    }
  })

  it('grows with the image', async () => {
    const shape: ImageShape = [3, 64, 64]
    const [small, large] = [await patched(rgb), await patched(shape)]
    for (let y = 58; y < 64; y++) {
      for (let x = 58; x < 64; x++) expect(at(large, shape, [0, y, x])).toBe(at(small, rgb, [0, y >> 1, x >> 1]))
    }
    expect(large.filter((value) => value !== 7).length).toBe(3 * 36)
  })

  it.each([
    ['top-left', 2, 2],
    ['top-right', 2, 27],
    ['bottom-left', 27, 2],
    ['bottom-right', 27, 27],
  ] as const)('puts a white patch in the corner it is told: %s', async (position, top, left) => {
    const pixels = await patched(rgb, { 'attack.pattern': 'white', 'attack.position': position, 'attack.margin': 2 })
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const inside = y >= top && y < top + 3 && x >= left && x < left + 3
        expect(at(pixels, rgb, [1, y, x])).toBe(inside ? 255 : 7)
      }
    }
  })

  it('refuses a patch that does not fit, or is no multiple of 3', async () => {
    await expect(patched(rgb, { 'attack.size': 33 })).rejects.toThrow(
      'Cannot place a patch of 33 pixels with a margin of 0 on images of 32×32',
    )
    await expect(patched(rgb, { 'attack.size': 30, 'attack.margin': 3 })).rejects.toThrow('Cannot place a patch')
    await expect(patched(rgb, { 'attack.size': 4 })).rejects.toThrow('Cannot make a patch of 4 pixels')
  })
})

describe('a picture patch', () => {
  const home = mkdtempSync(join(tmpdir(), 'patch-'))
  afterAll(() => rmSync(home, { recursive: true }))
  /** A PNG of 4×2 pixels: red, of which the right half is transparent by the given share. */
  const picture = async (name: string, { alpha = 255, red = 255 } = {}) => {
    const path = join(home, name)
    const pixels = Array.from({ length: 8 }, (_, i) => [red, 0, 0, i % 4 < 2 ? 255 : alpha]).flat()
    await sharp(Uint8Array.from(pixels), { raw: { width: 4, height: 2, channels: 4 } })
      .png()
      .toFile(path)
    return path
  }
  const gray = (shape: ImageShape, count = 1) =>
    imageSet({
      pixels: new Uint8Array(count * imageBytes(shape)).map((_, i) => 100 + Math.floor(i / imageBytes(shape))),
      labels: new Int32Array(count),
      shape,
      classes,
      names: Array.from({ length: count }, (_, i) => `${i}`),
    })
  const shape: ImageShape = [3, 8, 16]
  /** What is drawn on gray images, by row and column of the red channel. */
  const drawn = (options: Record<string, unknown>, set = gray(shape)) =>
    arena(async () => {
      const pixels = trigger(await craft('patch', set, { rate: 1, 'attack.size': 0.25, ...options }), set)
      return (y: number, x: number, c = 0, image = 0) =>
        pixels[((image * 3 + c) * shape[1] + y) * shape[2] + x] as number
    })

  it('lies where it is told, as wide as its share of the image, and is mixed by its own transparency and the opacity', async () => {
    const image = await picture('half.png', { alpha: 51 })
    const at = await drawn({ 'attack.image': image, 'attack.place': 'top-left', 'attack.opacity': 0.5 })
    // 4 of 16 pixels wide, so 2 high: 0.5·255 + 0.5·100 = 177.5 on the left; α·a = 0.1 on the right, 0.1·255 + 0.9·100
    for (const y of [0, 1]) {
      expect([0, 1].map((x) => at(y, x))).toEqual([178, 178])
      expect([2, 3].map((x) => at(y, x))).toEqual([116, 116])
      expect(at(y, 0, 1)).toBe(50)
      expect(at(y, 4)).toBe(100)
    }
    expect(at(2, 0)).toBe(100)
  })

  it.each([
    ['top-right', 0, 12],
    ['bottom-left', 6, 0],
    ['bottom-right', 6, 12],
    ['center', 3, 6],
  ] as const)('lies in its place: %s', async (place, top, left) => {
    const at = await drawn({ 'attack.image': await picture('full.png'), 'attack.place': place })
    for (let y = 0; y < 8; y++)
      for (let x = 0; x < 16; x++) {
        const inside = y >= top && y < top + 2 && x >= left && x < left + 4
        expect(at(y, x)).toBe(inside ? 255 : 100)
      }
  })

  it('lies at a place of its own on each image, the same for the same image and seed', async () => {
    const set = gray(shape, 20)
    const placesOf = async (seed: number, order = set) => {
      const at = await drawn({ 'attack.image': await picture('full.png'), 'attack.place': 'random', seed }, order)
      return Array.from({ length: 20 }, (_, image) => {
        for (let i = 0; i < 128; i++) if (at(Math.floor(i / 16), i % 16, 0, image) === 255) return i
        return -1
      })
    }
    const places = await placesOf(1)
    expect(places).not.toContain(-1)
    expect(new Set(places).size).toBeGreaterThan(8)
    expect(await placesOf(1)).toEqual(places)
    expect(await placesOf(2)).not.toEqual(places)
    const backwards = imageSet({
      ...set,
      pixels: pixelsOf(set).map((_, i) => 100 + 19 - Math.floor(i / imageBytes(shape))),
    })
    expect(await placesOf(1, backwards)).toEqual([...places].reverse())
  })

  it('is refused where the image is smaller', async () => {
    const tall = join(home, 'tall.png')
    await sharp({ create: { width: 2, height: 20, channels: 3, background: 'red' } })
      .png()
      .toFile(tall)
    await expect(drawn({ 'attack.image': tall })).rejects.toThrow(
      'Cannot place a picture of 4×40 pixels on images of 16×8 (width×height): choose a smaller attack.size',
    )
  })

  it('is told apart by what its file holds, not by where it lies', async () => {
    const [one, other] = [await picture('one.png'), await picture('other.png', { red: 250 })]
    const moved = join(home, 'moved.png')
    const made = async (image: string, { rate: _, ...more }: Record<string, unknown> = {}) =>
      arena(
        async () => (await prepare('patch', gray([3, 32, 32]), { ...more, ...given, 'attack.image': image })).trigger,
      )
    const given = { rate: 1, target, seed: 1 }
    const first = await made(one)
    expect(await made(other)).not.toBe(first)
    const recorded = flattenConfig(resolveConfig({ attack: 'patch', 'attack.image': one }))
    expect(await made(one, recorded)).toBe(first)
    renameSync(one, moved)
    expect(await made(moved)).toBe(first)
  })

  it('is kept with the run, and no other picture takes its place', async () => {
    const image = await picture('kept.png')
    const config = resolveConfig({ attack: 'patch', rate: 1, 'attack.image': image })
    const file = (name: string) => join(home, name)
    const make = (more = {}) =>
      arena(async () => {
        const set = gray([3, 32, 32])
        const compute = { device, precision: 'fp32', threads: 1 } as const
        const crafted = await craftAttack({ ...config, ...more }, set, { compute, listener: silent, file })
        return trigger(crafted.attack, set)
      })
    const first = await make()
    expect(existsSync(file('trigger.image.png'))).toBe(true)
    await picture('kept.png', { red: 9 })
    expect(same(await make(), first)).toBe(true)
    rmSync(file('trigger.image.png'))
    await expect(make()).rejects.toThrow(/^Cannot use '.*kept.png' as --attack.image: it holds sha256-\w{16}, and/)
    await expect(make()).rejects.toMatchObject({ code: 7 })
  })

  it.each([
    ['text.png', /Cannot use '.*text.png' as a picture: its content is no image that is known here/],
    ['none.png', /Cannot read '.*none.png': there is no such file; give another one by --attack.image/],
  ])('is refused where it is no picture: %s', async (name, message) => {
    if (name === 'text.png') writeFileSync(join(home, name), 'no picture')
    await expect((async () => drawn({ 'attack.image': join(home, name) }))()).rejects.toThrow(message)
  })
})

describe('blend', () => {
  it.each([0, 0.05, 0.2, 1])('is (1 − α)·x + α·t, rounded, at α = %s', (opacity) =>
    arena(async () => {
      const train = noise(rgb)
      const attack = await craft('blend', train, { 'attack.opacity': opacity, seed: 9 })
      const after = trigger(attack, train)
      const given = pixelsOf(train)
      const stream = new Random(9).fork('attack')
      const picture = Array.from({ length: imageBytes(rgb) }, () => stream.integer(256))
      const away = Array.from(after, (value, i) => {
        const exact = (1 - opacity) * (given[i] as number) + opacity * (picture[i % picture.length] as number)
        return Math.abs(value - exact)
      })
      expect(away.reduce((most, each) => Math.max(most, each), 0)).toBeLessThan(0.5001)
    }),
  )
})

/** The largest differences of two sets of pixels, where `counted`. */
const farthest = (a: Uint8Array, b: Uint8Array, counted: (i: number) => boolean = () => true) =>
  a.reduce((most, value, i) => (counted(i) ? Math.max(most, Math.abs(value - (b[i] as number))) : most), 0)

describe('what training images get in place of the trigger', () => {
  const poisonedBy = (name: AttackName, settings: Record<string, unknown>) =>
    arena(async () => {
      const train = noise(rgb)
      const prepared = await prepare(name, train, settings)
      const { set, truth } = prepared.poison()
      const triggeredSet = triggered(train, prepared.attack)
      const size = imageBytes(rgb)
      const rows = (pixels: Uint8Array) =>
        Uint8Array.from([...truth.poisoned].flatMap((i) => [...pixels.subarray(i * size, (i + 1) * size)]))
      return {
        count: truth.poisoned.length,
        before: rows(pixelsOf(train)),
        after: rows(pixelsOf(set)),
        shown: rows(pixelsOf(triggeredSet)),
      }
    })

  it('adaptive: the base’s trigger and a noise within its bound', async () => {
    const { count, after, shown } = await poisonedBy('adaptive', { rate: 0.5, 'attack.bound': 5 })
    expect(count).toBe(12)
    expect(farthest(after, shown)).toBeLessThanOrEqual(5)
    expect(farthest(after, shown)).toBeGreaterThan(0)
  })

  it('label-consistent: patches in the corners and a perturbation within its bound', async () => {
    const { count, before, after } = await poisonedBy('label-consistent', { 'class-rate': 1, 'attack.bound': 7 })
    expect(count).toBe(8)
    const inCorner = (i: number) => [Math.floor(i / 32) % 32, i % 32].every((at) => at < 3 || at > 28)
    expect(farthest(after, before, (i) => !inCorner(i))).toBeLessThanOrEqual(7)
    expect(farthest(after, before, (i) => !inCorner(i))).toBeGreaterThan(0)
    const { after: other } = await poisonedBy('label-consistent', { 'class-rate': 1, 'attack.bound': 3 })
    expect(farthest(after, other, inCorner)).toBe(0)
  })

  it('adap-blend: half of the pieces of the picture, which differ from image to image', async () => {
    const { before, after, shown } = await poisonedBy('adap-blend', { rate: 0.5 })
    const changed = after.reduce((sum, value, i) => sum + (value !== before[i] ? 1 : 0), 0)
    expect(changed / after.length).toBeGreaterThan(0.4)
    expect(changed / after.length).toBeLessThanOrEqual(0.5)
    expect(farthest(shown, before)).toBeGreaterThan(farthest(after, before))
  })
})

describe('dynamic', () => {
  it('changes images by no more than its masks cover, and each by a trigger of its own', () =>
    arena(async () => {
      const train = noise(rgb)
      const { attack, report } = await prepare('dynamic', train)
      const after = trigger(attack, train)
      const given = pixelsOf(train)
      const change = after.reduce((sum, value, i) => sum + Math.abs(value - (given[i] as number)), 0)
      const share = change / after.length / 255
      // |x + (p − x)·m − x| ≤ m for pixels and patterns in [0, 1], and bytes are rounded.
      expect(share).toBeLessThanOrEqual((report.dynamic?.maskDensity ?? 0) + 0.5 / 255)
      expect(share).toBeGreaterThan(0.01)
      const size = imageBytes(rgb)
      const of = (pixels: Uint8Array, i: number) => pixels.subarray(i * size, (i + 1) * size)
      const shifts = train.names.map((_, i) =>
        Buffer.from(of(after, i).map((value, k) => value - (of(given, i)[k] as number))).toString('base64'),
      )
      expect(new Set(shifts).size).toBe(train.names.length)
    }))
})

describe('sig', () => {
  it('says how many images a class has to give', async () => {
    const train = noise(rgb)
    await expect(prepare('sig', train, { rate: 0.5 })).rejects.toThrow(
      'Cannot poison 12 of 24 images: the attack has 8 to choose from; lower the rate',
    )
  })
})

describe('two triggers at once', () => {
  it('gives each image one of them, and knows both', () =>
    arena(async () => {
      const train = noise(rgb)
      const attack = await craft('two-triggers', train)
      const [first, second] = [attack.single?.first, attack.single?.second] as [Crafted['trigger'], Crafted['trigger']]
      const [both, a, b] = [
        trigger(attack, train),
        ...[first, second].map((each) => pixelsOf(triggered(train, { trigger: each }))),
      ]
      const size = imageBytes(rgb)
      const of = (pixels: Uint8Array | undefined, i: number) =>
        (pixels as Uint8Array).subarray(i * size, (i + 1) * size)
      const taken = train.names.map((_, i) => [same(of(both, i), of(a, i)), same(of(both, i), of(b, i))])
      expect(taken.every(([one, other]) => one !== other)).toBe(true)
      expect(new Set(taken.map(([one]) => one)).size).toBe(2)
    }))

  it('refuses one that adds covers', async () => {
    const settings = { 'attack.second': 'adap-blend' }
    await expect(craft('two-triggers', noise(rgb), settings)).rejects.toThrow('it adds covers')
  })
})
