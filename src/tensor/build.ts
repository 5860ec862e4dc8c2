import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../errors.ts'
import { cacheFolder, writeAtomically } from '../files.ts'
import { findLibtorch, type Libtorch } from './libtorch.ts'

// The addon is compiled at first use and kept in the cache folder under a name made of the libtorch
// version and a hash of the source, so that a new checkout or a second project finds it ready.

/** The folder with package.json: sources run from src/, compiled code from dist/src/. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'native/addon.cc'))) {
    const above = dirname(folder)
    if (above === folder) throw new Error('The folder native/ is missing from the package')
    folder = above
  }
  return folder
}

const cacheRoot = () => cacheFolder('addon')

/** The compiled addon's path for the libtorch found now; builds it when it is not there. `say` hears what is being done. */
export async function buildAddon(say: (line: string) => void): Promise<string> {
  const libtorch = findLibtorch()
  const addon = join(
    cacheRoot(),
    `libtorch-${libtorch.version}-${digest(sourceDigest() + JSON.stringify(libtorch) + speed + instructions())}`,
    'deconfound.node',
  )
  if (!existsSync(addon)) {
    say(`Compiling the addon against libtorch ${libtorch.version} from ${libtorch.origin} (once, a minute or two)`)
    await compile(libtorch, addon)
  }
  remember(addon, libtorch)
  return addon
}

/** The addon that an earlier process found or built in these circumstances, without searching again. */
export function rememberedAddon(): string | undefined {
  if (!existsSync(memoryFile())) return undefined
  try {
    const { addon, library, changed } = JSON.parse(readFileSync(memoryFile(), 'utf8'))
    return existsSync(addon) && statSync(library).mtimeMs === changed ? addon : undefined
  } catch {
    return undefined // a damaged note is no worse than none
  }
}

function remember(addon: string, { lib }: Libtorch): void {
  const library = join(lib, 'libtorch_cpu.so')
  writeAtomically(memoryFile(), JSON.stringify({ addon, library, changed: statSync(library).mtimeMs }))
}

const memoryFile = () =>
  join(cacheRoot(), `found-${digest(sourceDigest() + instructions() + process.env.LIBTORCH + process.env.PATH)}.json`)

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** The addon is compiled for the processor that it runs on. */
const speed = ['-O3', '-march=native']

/** What the processor can do. */
function instructions(): string {
  const facts = '/proc/cpuinfo'
  const text = existsSync(facts) ? readFileSync(facts, 'utf8') : ''
  return arch() + (/^(?:flags|Features)\s*:.*$/m.exec(text)?.[0] ?? '')
}

function sources(): string[] {
  const folder = join(packageRoot(), 'native')
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
}

/** Of the addon's source. */
export function sourceDigest(): string {
  return digest(
    sources()
      .map((file) => readFileSync(file, 'utf8'))
      .join('\0'),
  )
}

async function compile(libtorch: Libtorch, addon: string): Promise<void> {
  const folder = dirname(addon)
  const work = `${folder}.${process.pid}`
  mkdirSync(work, { recursive: true })
  try {
    const compiler = process.env.CXX || 'c++'
    const [major, minor] = libtorch.version.split('.').map(Number) as [number, number]
    const napi = (createRequire(import.meta.url)('node-api-headers') as { include_dir: string }).include_dir
    // libtorch's parallel loops are OpenMP's, in its headers. Their runtime is the one that libtorch has loaded, which is GCC's:
    // so nothing is linked, and another compiler, whose runtime is another, makes loops of one thread.
    const parallel = (await isGcc(compiler)) ? ['-fopenmp'] : []
    const cudaHeaders = libtorch.cuda ? findCudaHeaders(libtorch) : undefined
    const flags = [
      `-std=${major > 2 || (major === 2 && minor >= 13) ? 'c++20' : 'c++17'}`,
      ...speed,
      ...parallel,
      '-fPIC',
      '-fvisibility=hidden',
      '-w',
      '-DNAPI_VERSION=8',
      `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi}`,
      ...(cudaHeaders ? ['-DDECONFOUND_CUDA', `-isystem${cudaHeaders}`] : []),
      ...[napi, ...libtorch.include].map((path) => `-isystem${path}`),
    ]
    const units = sources().filter((file) => file.endsWith('.cc'))
    const objects = units.map((_, i) => join(work, `${i}.o`))
    const queue = units.map((unit, i) => [unit, objects[i] as string] as const)
    const worker = async () => {
      for (let job = queue.shift(); job; job = queue.shift())
        await execute(compiler, [...flags, '-c', job[0], '-o', job[1]])
    }
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), units.length) }, worker))
    const built = join(work, 'deconfound.node')
    await execute(compiler, [
      '-shared',
      ...objects,
      '-o',
      built,
      `-L${libtorch.lib}`,
      `-Wl,-rpath,${libtorch.lib}`,
      '-Wl,--no-as-needed',
      '-ltorch',
      '-ltorch_cpu',
      '-lc10',
      ...(libtorch.cuda ? ['-ltorch_cuda', '-lc10_cuda'] : []),
      '-ldl',
    ])
    mkdirSync(folder, { recursive: true })
    renameSync(built, addon)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function isGcc(compiler: string): Promise<boolean> {
  const macros = await execute(compiler, ['-dM', '-E', '-x', 'c++', '/dev/null'])
  return macros.includes('__GNUC__') && !macros.includes('__clang__')
}

function findCudaHeaders(libtorch: Libtorch): string | undefined {
  const packages = join(libtorch.lib, '../../nvidia')
  const places = [process.env.CUDA_HOME, '/usr/local/cuda', join(packages, 'cu13'), join(packages, 'cuda_runtime')]
  return places
    .map((place) => place && join(place, 'include'))
    .find((path) => path && existsSync(join(path, 'cuda_runtime_api.h')))
}

/** What it prints. */
function execute(command: string, parameters: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, parameters, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      const reason = missing
        ? `there is no compiler '${command}'. On Debian: apt-get install g++. Elsewhere set CXX to a C++ compiler`
        : stderr
            .split('\n')
            .filter((line) => /error|cannot/.test(line))
            .slice(0, 5)
            .join('\n') || error.message
      reject(new UserError('usage', `Cannot compile the addon: ${reason}`))
    })
  })
}
