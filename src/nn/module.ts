import { noGrad, operator, type Tensor } from '../tensor/tensor.ts'

const setData = operator<void>('set_data')

export type NamedTensors = Readonly<Record<string, Tensor>>

/** What a checkpoint saves and restores in place. */
export interface Stateful {
  /** restored by copying into them */
  readonly tensors: NamedTensors
  /** everything else that changes, as plain JSON */
  plain?(): unknown
  restore?(plain: unknown): void
}

/** Something with weights: parameters learn, buffers (running statistics) only follow. */
export interface Module {
  readonly parameters: NamedTensors
  readonly buffers: NamedTensors
  /** where it stands in what it draws in training, for a network that draws */
  readonly drawing?: Drawing
}

/** What draws, as a checkpoint sees it. */
export type Drawing = Required<Pick<Stateful, 'plain' | 'restore'>>

/** `train` uses and updates batch statistics; `eval` uses the running ones. */
export type Mode = 'train' | 'eval'

/** The parameters and buffers of several modules under `name.` each, in the order given; under none where a name is empty. */
export function join(parts: Readonly<Record<string, Module>>): Module {
  const prefixed = (kind: 'parameters' | 'buffers') =>
    Object.fromEntries(
      Object.entries(parts).flatMap(([name, part]) =>
        Object.entries(part[kind]).map(([key, tensor]) => [name ? `${name}.${key}` : key, tensor]),
      ),
    )
  return { parameters: prefixed('parameters'), buffers: prefixed('buffers') }
}

/** A module's weights as a checkpoint sees them. */
export function stateOf(module: Module): Stateful {
  const tensors = { ...module.parameters, ...module.buffers }
  return module.drawing ? { ...module.drawing, tensors } : { tensors }
}

/** Whether it has running statistics: without any it treats each image by itself, in training too. */
export function hasStatistics({ buffers }: Module): boolean {
  return Object.keys(buffers).some((name) => name.endsWith('running_mean'))
}

/** Number of learned values. */
export function parameterCount(module: Module): number {
  return Object.values(module.parameters).reduce((sum, parameter) => sum + parameter.count, 0)
}

/** Frees a module's weights. */
export function dispose(module: Module): void {
  for (const tensor of Object.values({ ...module.parameters, ...module.buffers })) tensor.free()
}

/** Copies the weights of one module into another of the same form. */
export function copyWeights(from: Module, into: Module): void {
  const source = stateOf(from).tensors
  for (const [name, tensor] of Object.entries(stateOf(into).tensors)) noGrad(() => tensor.copy_(source[name] as Tensor))
}

/** Moves a module's weights to a device; the same tensors, so that everything that holds them follows. */
export function moveTo<M extends Module>(module: M, device: string): M {
  for (const tensor of Object.values(stateOf(module).tensors)) setData(tensor, tensor.detach().to({ device }))
  return module
}
