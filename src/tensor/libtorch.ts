import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { UserError } from '../errors.ts'

/** A libtorch on this machine: what a compiler needs to know of it. */
export interface Libtorch {
  readonly version: string
  readonly include: readonly string[]
  readonly lib: string
  readonly cuda: boolean
  /** where it was found: `LIBTORCH`, a Python, or the system */
  readonly origin: string
  /** the value of _GLIBCXX_USE_CXX11_ABI it was built with */
  readonly cxx11Abi: 0 | 1
}

const libraryFolders = ['lib', 'lib64', 'lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu']

/** The libtorch under `root` (holding include/ and lib/), if there is one. */
export function libtorchAt(root: string, origin: string): Libtorch | undefined {
  const include = join(root, 'include')
  const api = join(include, 'torch/csrc/api/include')
  const lib = libraryFolders
    .map((folder) => join(root, folder))
    .find((folder) => existsSync(join(folder, 'libtorch_cpu.so')))
  if (!lib || !existsSync(join(api, 'torch/version.h'))) return undefined
  const headers = [join(api, 'torch/version.h'), join(include, 'torch/headeronly/version.h')].filter(existsSync)
  const text = headers.map((file) => readFileSync(file, 'utf8')).join('\n')
  const part = (name: string) => new RegExp(`#define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1] ?? '0'
  const config = ['share/cmake/Torch/TorchConfig.cmake', join(lib, 'cmake/Torch/TorchConfig.cmake')]
    .map((file) => (file.startsWith('/') ? file : join(root, file)))
    .find(existsSync)
  const oldAbi = config && /_GLIBCXX_USE_CXX11_ABI=0/.test(readFileSync(config, 'utf8'))
  return {
    version: `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`,
    include: [api, ...(include === '/usr/include' ? [] : [include])],
    lib,
    cuda: existsSync(join(lib, 'libtorch_cuda.so')),
    origin,
    cxx11Abi: oldAbi ? 0 : 1,
  }
}

/** Looks in the order `LIBTORCH`, a Python that has PyTorch, the system. */
export function findLibtorch(): Libtorch {
  const named = process.env.LIBTORCH
  if (named) {
    const found = libtorchAt(named, 'LIBTORCH')
    if (found) return found
    throw new UserError(
      'usage',
      `Cannot use LIBTORCH='${named}': no libtorch with headers lies there (expected include/ and lib/)`,
    )
  }
  for (const python of pythons()) {
    const root = torchFolder(python)
    const found = root && libtorchAt(root, python)
    if (found) return found
  }
  for (const root of ['/usr', '/usr/local']) {
    const found = libtorchAt(root, 'the system')
    if (found) return found
  }
  throw new UserError(
    'usage',
    'Cannot find libtorch. On Debian or Ubuntu: apt-get install libtorch-dev libopenblas0-pthread g++. ' +
      'Elsewhere: pip install torch (its Python must be on the PATH), or unpack libtorch and set LIBTORCH to its folder',
  )
}

/** Every python3 on the path, and the system's, which a version manager may shadow. */
function pythons(): string[] {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'python3'))
  return [...new Set([...onPath, '/usr/bin/python3'])].filter(existsSync)
}

function torchFolder(python: string): string | undefined {
  const code =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'
  try {
    const output = execFileSync(python, ['-c', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return output.trim() || undefined
  } catch {
    return undefined // a python that does not start has no torch for us
  }
}
