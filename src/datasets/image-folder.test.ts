import { execFileSync } from 'node:child_process'
import { chmod, link, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp, { type Color } from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { ownCache } from '../../test/own-cache.ts'
import { UserError } from '../errors.ts'
import { type ImageSet, pixelsOf } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { decodedFolder } from './decode-cache.ts'
import { nameBytes } from './file-names.ts'
import { imageFolder } from './image-folder.ts'

const red = { r: 200, g: 30, b: 40 }
const plain = (color: Color, width = 16, height = 16) =>
  sharp({ create: { width, height, channels: 3, background: color } })

/** red, green and blue of a pixel */
function at(set: ImageSet, name: string, [x, y]: readonly [x: number, y: number] = [4, 4]): number[] {
  const from = 3 * (y * set.shape[2] + x)
  return [...rowReader(set.rows)(set.names.indexOf(name)).subarray(from, from + 3)]
}

const near = (color: readonly number[]) => color.map((value) => expect.closeTo(value, -1))

/** A PNG that says it is larger than it is. */
function announcing(
  png: Buffer,
  { width, height, depth = 8 }: { width: number; height: number; depth?: number },
): Buffer {
  const copy = Buffer.from(png)
  copy.writeUInt32BE(width, 16)
  copy.writeUInt32BE(height, 20)
  copy.writeUInt8(depth, 24)
  copy.writeUInt32BE(crc32(copy.subarray(12, 29)), 29)
  return copy
}

describe('imageFolder', () => {
  let home: string
  let folder: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'folder-'))
    ownCache(join(home, 'cache'))
    folder = join(home, 'data')
    for (const name of ['a', 'b']) {
      await put(`${name}/good.png`, await plain(red).png().toBuffer())
    }
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(home, { recursive: true })
  })

  const put = async (path: string, content: string | Uint8Array) => {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  const load = (options: z.input<typeof imageFolder.options> = {}, data: string | undefined = folder) =>
    imageFolder.load(imageFolder.options.parse({ size: 8, ...options }), { data, seed: 1, progress: () => undefined })
  /** the reason for which `path` was left out */
  const reason = async (path: string) => (await load()).problems.find(({ file }) => file === path)?.reason

  it('takes classes from folders in the order of their bytes', async () => {
    for (const name of ['Z', 'é', 'z', '10', '9']) await put(`${name}/1.png`, await plain(red).png().toBuffer())
    const { train, test, problems } = await load()
    expect(train.classes).toEqual(['10', '9', 'Z', 'a', 'b', 'z', 'é'])
    expect(train.names[0]).toBe('10/1.png')
    expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect({ test, problems }).toEqual({ test: null, problems: [] })
  })

  it.each(['test', 'val', 'valid', 'validation'])('takes test images from %s beside train', async (name) => {
    await mkdir(join(home, 'split'))
    await rename(folder, join(home, 'split', 'train'))
    folder = join(home, 'split')
    await put(`${name}/b/1.png`, await plain('#00ff00').png().toBuffer())
    await put(`${name}/c/1.png`, await plain('#00ff00').png().toBuffer())
    await put('notes/1.png', '')
    await put('list.csv', '')
    const { train, test, problems, notes } = await load()
    expect(train.names).toEqual(['train/a/good.png', 'train/b/good.png'])
    expect(test?.names).toEqual([`${name}/b/1.png`])
    expect([...(test?.labels ?? [])]).toEqual([1])
    expect(problems).toEqual([
      { file: 'list.csv', reason: 'it is in no class folder' },
      { file: 'notes', reason: `it is not used: the images are taken from "train" and "${name}"` },
      { file: `${name}/c`, reason: 'no class of this name is trained on (1 image)' },
    ])
    expect(notes.slice(0, 2)).toEqual(['the images are taken from "train"', `the test images are taken from "${name}"`])
  })

  it('takes a folder of images named train for a class', async () => {
    await put('train/1.png', await plain(red).png().toBuffer())
    expect((await load()).train.classes).toEqual(['a', 'b', 'train'])
  })

  it('takes images from folders inside a class, and nothing that is hidden', async () => {
    await put('a/deep/er/1.png', await plain(red).png().toBuffer())
    await put('a/.hidden.png', 'x')
    await put('.git/1.png', 'x')
    const { train, problems } = await load()
    expect(train.names).toEqual(['a/good.png', 'a/deep/er/1.png', 'b/good.png'])
    expect(problems).toEqual([{ file: '.git', reason: 'it is hidden' }])
  })

  it('reads every format to the same color, whatever the name says', async () => {
    await put('a/1.webp', await plain(red).webp({ quality: 100 }).toBuffer())
    await put('a/2.jpg', await plain(red).jpeg({ quality: 100 }).toBuffer())
    await put('a/3.jpg', await plain(red).png().toBuffer())
    await put('a/4.ppm', Buffer.concat([Buffer.from('P6 8 8 255\n'), await plain(red, 8, 8).raw().toBuffer()]))
    await put('a/5.ppm', Buffer.concat([Buffer.from('P6 16 9 255\n'), await plain(red, 16, 9).raw().toBuffer()]))
    await put('a/6.png', await plain(red).png({ palette: true }).toBuffer())
    await put('a/7.jpg', await plain(red).jpeg({ quality: 100 }).withIccProfile('p3').toBuffer())
    await put('a/8.gif', await plain(red).gif().toBuffer())
    await put('a/9.png', await plain(red).tiff().toBuffer())
    await put('a/10.avif', await plain(red).avif({ quality: 100 }).toBuffer())
    const { train, problems } = await load()
    expect(problems).toEqual([])
    expect(train.labels.length).toBe(12)
    for (const name of train.names) expect(at(train, name)).toEqual(near([200, 30, 40]))
  })

  it('makes 8-bit RGB of gray, 16 bits, transparency and CMYK', async () => {
    const gray = plain({ r: 128, g: 128, b: 128 })
    await put('a/gray.png', await gray.clone().toColourspace('b-w').png().toBuffer())
    await put('a/gray.jpg', await gray.clone().toColourspace('b-w').jpeg().toBuffer())
    await put('a/gray16.png', await gray.clone().toColourspace('grey16').png().toBuffer())
    await put('a/gray16.tif', await gray.clone().toColourspace('grey16').tiff({ compression: 'none' }).toBuffer())
    await put('a/rgb16.png', await plain(red).toColourspace('rgb16').png().toBuffer())
    await put('a/cmyk.jpg', await plain(red).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer())
    const half = sharp({
      create: { width: 16, height: 16, channels: 4, background: { r: 200, g: 100, b: 50, alpha: 0.5 } },
    })
    await put('a/half.png', await half.png().toBuffer())
    const { train, problems } = await load()
    expect(problems).toEqual([])
    for (const name of ['gray.png', 'gray.jpg', 'gray16.png', 'gray16.tif']) {
      expect(at(train, `a/${name}`)).toEqual(near([128, 128, 128]))
    }
    expect(at(train, 'a/rgb16.png')).toEqual(near([200, 30, 40]))
    expect(at(train, 'a/half.png')).toEqual(near([100, 50, 25]))
    const [cyan, magenta] = at(train, 'a/cmyk.jpg') as [number, number]
    expect(cyan - magenta).toBeGreaterThan(100)
  })

  it('turns an image the way its EXIF orientation says', async () => {
    const [left, right] = [await plain('#ff0000', 8, 16).toBuffer(), plain('#0000ff', 16, 16)]
    const picture = right.composite([
      {
        input: await sharp({ create: { width: 8, height: 16, channels: 3, background: '#ff0000' } })
          .png()
          .toBuffer(),
        left: 0,
        top: 0,
      },
    ])
    expect(left.length).toBeGreaterThan(0)
    // 6: to be turned clockwise, so that its left becomes its top
    await put('a/turned.jpg', await picture.jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer())
    const { train } = await load()
    expect(at(train, 'a/turned.jpg', [4, 1])).toEqual(near([255, 0, 0]))
    expect(at(train, 'a/turned.jpg', [4, 6])).toEqual(near([0, 0, 255]))
  })

  it('takes the first frame of an animation', async () => {
    const frames = await Promise.all(['#ff0000', '#0000ff'].map((color) => plain(color).png().toBuffer()))
    await put(
      'a/moving.webp',
      await sharp(frames, { join: { animated: true } })
        .webp({ lossless: true })
        .toBuffer(),
    )
    expect(at((await load()).train, 'a/moving.webp')).toEqual([255, 0, 0])
  })

  it.each([
    ['cover', [255, 255, 255], [255, 255, 255]],
    ['contain', [0, 0, 0], [255, 255, 255]],
    ['stretch', [255, 0, 0], [255, 255, 255]],
  ] as const)('fits by %s', async (fit, top, middle) => {
    // red, white and blue bands, 8 pixels wide and 24 tall: contain pads left and right
    const bands = ['#ff0000', '#ffffff', '#0000ff'].flatMap((color) => new Array<string>(64).fill(color))
    const raw = Buffer.concat(bands.map((color) => Buffer.from(color.slice(1), 'hex')))
    const tall = sharp(raw, { raw: { width: 8, height: 24, channels: 3 } })
    await put('a/bands.png', await tall.png().toBuffer())
    const { train } = await load({ fit })
    expect(at(train, 'a/bands.png', fit === 'contain' ? [0, 0] : [4, 1])).toEqual(near(top))
    expect(at(train, 'a/bands.png', [4, 4])).toEqual(near(middle))
  })

  it('names every file it cannot use, with the reason, and loads the rest', async () => {
    const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 31) % 256))
    const rich = sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    const [jpeg, png] = [await rich.clone().jpeg().toBuffer(), await rich.clone().png().toBuffer()]
    const torn = Buffer.from(jpeg)
    torn.fill(0xff, jpeg.length / 2, jpeg.length / 2 + 40)
    const flipped = Buffer.from(png)
    flipped[png.length / 2] = (flipped[Math.floor(png.length / 2)] as number) ^ 0xff
    flipped.fill(0, Math.floor(png.length / 2), Math.floor(png.length / 2) + 40)
    const small = await plain(red).png().toBuffer()
    const broken: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
      ['torn.jpg', torn, /not a usable jpeg/],
      ['short.jpg', jpeg.subarray(0, jpeg.length / 2), /not a usable jpeg/],
      ['short.png', png.subarray(0, png.length / 2), /not a usable png/],
      ['flipped.png', flipped, /not a usable png/],
      ['huge.png', announcing(small, { width: 20_000, height: 20_000 }), /more than 100 megapixels/],
      ['deep.png', announcing(small, { width: 9000, height: 9000, depth: 16 }), /takes 486 MB, more than 350/],
      ['hollow.png', announcing(small, { width: 9000, height: 9000 }), /not a usable png/],
      ['empty.png', '', /^it is empty$/],
      ['text.png', 'hello', /no image that is known here/],
      [
        'page.jpg',
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
        /svg/,
      ],
      ['short.gif', (await rich.clone().gif().toBuffer()).subarray(0, -200), /not a usable gif/],
      ['short.tif', (await rich.clone().tiff().toBuffer()).subarray(0, -400), /not a usable tiff/],
      ['short.avif', (await rich.clone().avif().toBuffer()).subarray(0, -100), /not a usable avif/],
      [
        'float.tif',
        await rich.clone().toColourspace('scrgb').tiff({ compression: 'none' }).toBuffer(),
        /not whole numbers/,
      ],
      ['noend.jpg', jpeg.subarray(0, -2), /it is damaged or cut short/],
      ['bitmap.bmp', 'BM0000', /its content is bmp; jpeg, .* and ppm are read/],
      ['short.ppm', 'P6 9 9 255\n123', /3 of 243 bytes/],
      ['notes.txt', 'hello', /not an image file by its name/],
    ]
    for (const [name, content] of broken) await put(`a/${name}`, content)
    const { train, problems } = await load({ maxBroken: 1 })
    expect(train.names).toEqual(['a/good.png', 'b/good.png'])
    expect(problems).toHaveLength(broken.length)
    for (const [name, , expected] of broken) {
      const found = problems.find(({ file }) => file === `a/${name}`)?.reason
      expect(found).toMatch(expected)
      expect(found).not.toMatch(/failOn|vips/)
    }
  })

  it.each([
    ['Ss is 1', [1, 63, 0]],
    ['Se is 0', [0, 0, 0]],
    ['the bits are cut', [0, 63, 0x11]],
  ])(
    'reads a baseline JPEG whose scan header is wrong as if it were right, where it is whole: %s',
    async (_, bounds) => {
      const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 31) % 256))
      const good = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
        .jpeg()
        .toBuffer()
      const odd = Buffer.from(good)
      const scan = good.indexOf(Buffer.from([0xff, 0xda]))
      odd.set(bounds, scan + 2 + good.readUInt16BE(scan + 2) - 3)
      await put('a/good.jpg', good)
      await put('a/odd.jpg', odd)
      await put('a/cut.jpg', odd.subarray(0, odd.length - 200))
      const { train, problems } = await load()
      const of = (name: string) => pixelsOf(train, [train.names.indexOf(name)])
      expect(of('a/odd.jpg')).toEqual(of('a/good.jpg'))
      expect(problems).toEqual([{ file: 'a/cut.jpg', reason: 'not a usable jpeg: it is damaged or cut short' }])
    },
  )

  it('lays transparent parts on the ground that is asked for, and warns of images that show nothing', async () => {
    const ink = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#00000000' } })
      .composite([{ input: await plain('#000000', 4, 8).png().toBuffer(), left: 0, top: 0 }])
      .png()
      .toBuffer()
    for (const name of ['a/good.png', 'b/good.png']) await put(name, ink)
    const black = await load()
    expect(black.notes).toEqual([expect.stringMatching(/^warning: 2 of 2 .* flat color .*--dataset.ground white$/)])
    const white = await load({ ground: 'white' })
    expect(white.notes).toEqual([])
    expect([at(white.train, 'a/good.png', [1, 1]), at(white.train, 'a/good.png', [6, 1])]).toEqual([
      [0, 0, 0],
      [255, 255, 255],
    ])
  })

  it('takes pixels that spell something for pixels', async () => {
    await put('a/spelling.ppm', `P6 8 8 255\n${'<svg><?xml BM GIF8'.padEnd(192)}`)
    expect(await reason('a/spelling.ppm')).toBeUndefined()
  })

  it('follows links to files inside the folder, and opens nothing else that is no file', async () => {
    const outside = join(home, 'outside.png')
    await writeFile(outside, await plain(red).png().toBuffer())
    const links = { 'a/in.png': '../b/good.png', 'a/out.png': outside, 'a/nothing.png': 'x', 'a/folder.png': '../b' }
    for (const [from, to] of Object.entries(links)) await symlink(to, join(folder, from))
    await symlink('two.png', join(folder, 'a/one.png'))
    await symlink('one.png', join(folder, 'a/two.png'))
    await symlink('..', join(folder, 'a/up'))
    await symlink(folder, join(folder, 'a', 'self.png'))
    await symlink('/dev/zero', join(folder, 'a/zero.png'))
    await symlink('a', join(folder, 'c'))
    execFileSync('mkfifo', [join(folder, 'a/pipe.png')])
    const { train, problems } = await load()
    expect(train.names).toEqual(['a/good.png', 'a/in.png', 'b/good.png'])
    expect(train.classes).toEqual(['a', 'b'])
    const found = Object.fromEntries(problems.map(({ file, reason }) => [file, reason]))
    const notAFile = 'it is a link to something that is not a file'
    expect(found).toEqual({
      'a/out.png': 'it is a link out of the folder',
      'a/nothing.png': 'it is a link to nothing, or gone',
      'a/folder.png': notAFile,
      'a/one.png': 'it is a link in a loop of links',
      'a/two.png': 'it is a link in a loop of links',
      'a/up': 'it is a link out of the folder',
      'a/self.png': 'it is a link out of the folder',
      'a/zero.png': 'it is a link out of the folder',
      'a/pipe.png': 'it is a device, a pipe or a socket, not a file',
      c: notAFile,
    })
  })

  it('keeps odd names', async () => {
    const image = await plain(red).png().toBuffer()
    const odd = [Buffer.from('\xff\xfe.png', 'latin1'), Buffer.from('new\nline.png'), Buffer.from('=cmd|x!A1<b>&.png')]
    for (const name of odd) await writeFile(Buffer.concat([Buffer.from(`${folder}/a/`), name]), image)
    await mkdir(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from('\xe9t\xe9', 'latin1')]))
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from('\xe9t\xe9/1.png', 'latin1')]), image)
    const { train, problems } = await load()
    expect(problems).toEqual([])
    expect(train.classes).toEqual(['a', 'b', '\\xe9t\\xe9'])
    for (const name of odd) {
      expect(train.names.some((found) => nameBytes(found).equals(Buffer.concat([Buffer.from('a/'), name])))).toBe(true)
    }
  })

  it.skipIf(process.getuid?.() === 0)(
    'lists folders and files it may not read (skipped for root, who may)',
    async () => {
      await put('c/1.png', await plain(red).png().toBuffer())
      await put('a/2.png', await plain(red).png().toBuffer())
      await chmod(join(folder, 'c'), 0)
      await chmod(join(folder, 'a/2.png'), 0)
      try {
        const { problems, train } = await load()
        expect(problems).toEqual([
          { file: 'c', reason: 'the folder cannot be read (EACCES)' },
          { file: 'a/2.png', reason: 'it cannot be read (EACCES)' },
        ])
        expect(train.classes).toEqual(['a', 'b'])
      } finally {
        await chmod(join(folder, 'c'), 0o700)
      }
    },
  )

  it('makes no class of a folder none of whose images is usable', async () => {
    await mkdir(join(home, 'split'))
    await put('aa/1.png', 'x')
    await rename(folder, join(home, 'split', 'train'))
    folder = join(home, 'split')
    for (const name of ['aa', 'b']) await put(`test/${name}/1.png`, await plain(red).png().toBuffer())
    const { train, test, problems } = await load()
    expect(train.classes).toEqual(['a', 'b'])
    expect([...train.labels]).toEqual([0, 1])
    expect([test?.classes, test?.names, [...(test?.labels ?? [])]]).toEqual([['a', 'b'], ['test/b/1.png'], [1]])
    expect(problems).toContainEqual({ file: 'aa', reason: 'none of its training images is usable: it is no class' })
  })

  it('refuses a folder too many of whose images are broken', async () => {
    for (const name of ['1', '2', '3']) await put(`a/${name}.png`, 'x')
    await expect(load()).rejects.toThrow(
      /3 of 5 image files are unusable, more than a share of 0.5; the first is "a\/1.png": .*raise --dataset.max-broken/,
    )
    expect((await load({ maxBroken: 0.6 })).train.labels.length).toBe(2)
    await put('a/good.png', 'x')
    await expect(load({ maxBroken: 1 })).rejects.toThrow('only one class has usable images')
    await put('b/good.png', 'x')
    await expect(load({ maxBroken: 1 })).rejects.toThrow('no class has usable images')
  })

  it('says what is wrong with what is no folder of classes', async () => {
    const other = (name: string) => load({}, join(home, name))
    await expect(other('missing')).rejects.toThrow('it does not exist')
    await writeFile(join(home, 'file'), '')
    await expect(other('file')).rejects.toThrow('it is not a folder')
    await mkdir(join(home, 'empty'))
    await expect(other('empty')).rejects.toThrow('there are no image files in it')
    await mkdir(join(home, 'one', 'a'), { recursive: true })
    await writeFile(join(home, 'one', 'a', '1.png'), '')
    await expect(other('one')).rejects.toThrow('there is only one class folder in it, "a"')
    await writeFile(join(home, 'empty', '1.png'), '')
    await expect(other('empty')).rejects.toThrow('there is no class folder in it, but 1 image file')
    await mkdir(join(home, 'none', 'a'), { recursive: true })
    await mkdir(join(home, 'none', 'b'))
    await expect(other('none')).rejects.toThrow('there are no image files in it')
    await expect(other('none')).rejects.toThrow(UserError)
    await expect(load({}, undefined)).resolves.toBeDefined()
  })

  it('decodes once, and again when a file changes, even if its size and time stay', async () => {
    const decoded = await load()
    const [key] = await readdir(decodedFolder())
    const path = join(decodedFolder(), key as string, 'blocks.jsonl')
    await utimes(path, 1000, 1000)
    expect(await load()).toEqual(decoded)
    // reading it moved its time, and nothing was written beside it
    expect((await stat(path)).mtimeMs).toBeGreaterThan(1e9)
    expect(await readdir(decodedFolder())).toHaveLength(1)
    const other = Buffer.from(await plain({ r: 201, g: 31, b: 41 }).png({ compressionLevel: 0 }).toBuffer())
    await put('a/good.png', other)
    await utimes(join(folder, 'a/good.png'), 1000, 1000)
    const changed = await load()
    expect(changed.train.hash).not.toBe(decoded.train.hash)
    const third = await plain({ r: 99, g: 98, b: 97 }).png({ compressionLevel: 0 }).toBuffer()
    expect(third.length).toBe(other.length)
    await put('a/good.png', third)
    await utimes(join(folder, 'a/good.png'), 1000, 1000)
    expect((await load()).train.hash).not.toBe(changed.train.hash)
    expect((await load({ size: 9 })).train.shape).toEqual([3, 9, 9])
  })

  it('counts a file with two names twice', async () => {
    await link(join(folder, 'a/good.png'), join(folder, 'a/same.png'))
    expect((await load()).train.labels.length).toBe(3)
  })
})
