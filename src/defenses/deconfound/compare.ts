import { UserError } from '../../errors.ts'
import { accuracy, crossEntropy } from '../../nn/losses.ts'
import { type Mode, stateOf } from '../../nn/module.ts'
import type { Optimizer } from '../../nn/optimizer.ts'
import { cosine } from '../../nn/schedule.ts'
import { sgd } from '../../nn/sgd.ts'
import { scope } from '../../tensor/scope.ts'
import { cat, noGrad, stack, type Tensor } from '../../tensor/tensor.ts'
import { noAugmentation } from '../../training/augment.ts'
import { lastMade } from '../../training/passes.ts'
import { perSample } from '../../training/per-sample.ts'
import type { DefenderView } from '../defense.ts'
import { chosen, rowsAt } from './chosen.ts'
import { type Confounder, makeConfounder } from './confounder.ts'
import { divide, meansOfCopies } from './copies.ts'
import { type Counterpart, drawPairing, type Pairing } from './counterparts.ts'
import type { Search } from './kind.ts'
import { residue } from './residue.ts'

// How the confounders learn and judge: ℓ and W of differences.ts.

/** A confounder, trained on one half of the images to judge the other half. */
interface Learner {
  readonly confounder: Confounder
  readonly optimizer: Optimizer
  readonly trainsOn: (image: number) => boolean
}

/** W, [distinct images], mean over divisions and moves, from confounders that have not seen the image. */
interface Comparison {
  /** d_y − d̄ */
  readonly ofLabel: Float32Array
  /** d̄ */
  readonly ofAny: Float32Array
}

/** W of all images for one kind of counterpart: trains two confounders for each division, then lets them judge. */
export async function compare(
  view: DefenderView,
  counterpart: Counterpart,
  { divisions, confounderEpochs: epochs, copies }: Search,
): Promise<Comparison> {
  const { images, random, compute, classes } = view
  const learners = Array.from({ length: divisions }, (_, division) => {
    const halfOf = divide(random.fork(`halves ${division}`), copies)
    return [0, 1].map((half): Learner => {
      const own = random.fork(`confounder ${counterpart} ${division} ${half}`)
      const confounder = makeConfounder(own, { compute, shape: images.shape, classes: classes.length })
      // f sees each image a few times only: it must learn at once (the learning rate below), and not by heart (the weight decay).
      const optimizer = sgd(confounder.parameters, { momentum: 0.9, weightDecay: 1e-2 })
      return { confounder, optimizer, trainsOn: (image) => halfOf(image) === half }
    })
  }).flat()
  await learn(learners, { view, counterpart, epochs })
  const { ofLabel, ofAny } = await judge(learners, { view, counterpart })
  return { ofLabel: meansOfCopies(ofLabel, copies), ofAny: meansOfCopies(ofAny, copies) }
}

/** Trains all confounders side by side, so that each residue is computed once. */
async function learn(
  learners: readonly Learner[],
  { view, counterpart, epochs }: { view: DefenderView; counterpart: Counterpart; epochs: number },
): Promise<void> {
  const { images, recipe } = view
  const state = Object.fromEntries(
    learners.flatMap(({ confounder, optimizer }, k) => [
      [`confounder-${k + 1}`, stateOf(confounder)],
      [`optimizer-${k + 1}`, optimizer],
    ]),
  )
  const schedule = cosine(0.05)
  const pairing = lastMade((epoch) => pairingOf(view, { counterpart, stream: `epoch ${epoch}` }))
  // Each confounder is trained on half of a batch.
  const stageOptions = { epochs, batch: 2 * recipe.batch, augmentation: noAugmentation, state }
  for await (const { indices, epoch, step, steps, report } of view.stage(`confounders-${counterpart}`, stageOptions)) {
    scope(() => {
      const shown = residuesOf(view, indices, pairing(epoch))
      const learned = learners.flatMap(({ confounder, optimizer, trainsOn }) => {
        const half = chosen(indices, trainsOn)
        if (half.images.length === 0) return []
        return scope(() => {
          const d = differenceOf(confounder, shown, { places: half.places, mode: 'train' })
          const guesses = guessesOf(d, counterpart)
          const labels = images.labelsOf(half.images)
          const loss = optimizer.step(crossEntropy(guesses, labels), schedule(step, steps))
          return { loss, accuracy: accuracy(guesses, labels) }
        })
      })
      report(meansOf(learned))
    })
  }
}

/** What ℓ compares with y: (d, −d), [images, 2C], of mirror images; d, [images, C], of moved copies. */
const guessesOf = (d: Tensor, counterpart: Counterpart) => (counterpart === 'mirrored' ? cat([d, d.neg()], 1) : d)

function meansOf(figures: readonly { readonly loss: Tensor; readonly accuracy: Tensor }[]) {
  const mean = (values: readonly Tensor[]) => stack(values).mean()
  return { loss: mean(figures.map(({ loss }) => loss)), accuracy: mean(figures.map(({ accuracy }) => accuracy)) }
}

/** W as the mean over divisions and, of moved copies, over four random moves (an epoch each). */
async function judge(
  learners: readonly Learner[],
  { view, counterpart }: { view: DefenderView; counterpart: Counterpart },
): Promise<Comparison> {
  const { images, classes, compute } = view
  const moves = counterpart === 'mirrored' ? 1 : 4
  const weight = 1 / ((learners.length / 2) * moves) // each image is judged by half of the confounders
  const scores = () => perSample(images.count, compute.device)
  const [ofLabel, ofAny] = [scores(), scores()]
  const pairing = lastMade((move) => pairingOf(view, { counterpart, stream: `judging ${move}` }))
  const stageOptions = {
    epochs: moves,
    batch: 256,
    augmentation: noAugmentation,
    ordered: true,
    state: { ofLabel, ofAny },
  }
  for await (const { indices, epoch: move, report } of view.stage(`judging-${counterpart}`, stageOptions)) {
    scope(() =>
      noGrad(() => {
        const shown = residuesOf(view, indices, pairing(move))
        const judged = learners.flatMap(({ confounder, trainsOn }) => {
          const unseen = chosen(indices, (image) => !trainsOn(image))
          if (unseen.images.length === 0) return []
          return scope(() => {
            const d = differenceOf(confounder, shown, { places: unseen.places, mode: 'eval' })
            const labels = images.labelsOf(unseen.images)
            const own = d.gather(1, labels.unsqueeze(1))
            const rest = d.sum([1], true).sub(own)
            const dBar = rest.div(Math.max(1, classes.length - 1)).numbers()
            const ofOwnLabel = own.numbers().map((dy, k) => dy - (dBar[k] as number)) // d_y − d̄
            ofLabel.add(unseen.images, ofOwnLabel, weight)
            ofAny.add(unseen.images, dBar, weight)
            const guesses = guessesOf(d, counterpart)
            return { loss: crossEntropy(guesses, labels), accuracy: accuracy(guesses, labels) }
          })
        })
        report(meansOf(judged))
      }),
    )
  }
  const comparison = { ofLabel: ofLabel.read(), ofAny: ofAny.read() }
  if (!Object.values(comparison).every((statistics) => statistics.every(Number.isFinite))) {
    throw new UserError(
      'diverged',
      `Cannot judge the images: the confounders of ${counterpart} copies have diverged; try another --seed, or --precision fp32`,
    )
  }
  return comparison
}

/** Residues of x and of x′, one row for each of `indices`. */
function residuesOf({ images }: DefenderView, indices: Int32Array, { own, counterpart }: Pairing): [Tensor, Tensor] {
  return noGrad(() => [residue(images.images(indices, own)), residue(images.images(indices, counterpart))])
}

/** d = f(x) − f(x′), [places, classes], of the images at these places of a batch; `batch`: residues of x and of x′. */
function differenceOf(
  confounder: Confounder,
  batch: readonly [Tensor, Tensor],
  { places, mode }: { places: Int32Array; mode: Mode },
): Tensor {
  const residues = cat(batch.map((each) => rowsAt(each, places))).contiguous('channelsLast')
  const outputs = confounder.forward(residues, mode)
  return outputs.narrow(0, 0, places.length).sub(outputs.narrow(0, places.length, places.length))
}

function pairingOf(
  { images, random }: DefenderView,
  { counterpart, stream }: { counterpart: Counterpart; stream: string },
): Pairing {
  const [, height, width] = images.shape
  return drawPairing(random.fork(`${counterpart} ${stream}`), images.count, { size: [height, width], counterpart })
}
