import { existsSync } from 'node:fs'
import type { DefenseEntry } from '../defenses/defense.ts'
import { type DefenseName, defenses } from '../defenses/index.ts'
import { UserError } from '../errors.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import type { ImageSet } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import { accuracyOn } from '../training/predict.ts'
import { takenAs } from './measure/evaluation-settings.ts'
import { datasetAt, loadDataset } from './prepare/data.ts'
import { holdOut } from './prepare/hold-out.ts'
import { inClassesOf } from './prepare/known-classes.ts'
import { keepingMetrics, type Listener } from './prepare/listener.ts'
import { repairModel } from './prepare/repair-model.ts'
import { kebab } from './settings/check.ts'
import { rememberEnvironment, settleRun } from './store/environment.ts'
import type { ForeignReading } from './store/foreign-model.ts'
import type { RunFolder } from './store/run-folder.ts'
import { describeModel, hashOfModel, loadModel, type ModelDescription, saveModel } from './store/saved-model.ts'
import { type RepairResult, repairSchema, resultVersion } from './store/schema.ts'

/** A model to be repaired. */
export interface GivenModel {
  readonly file: string
  /** what the user says of one that was trained elsewhere */
  readonly reading?: ForeignReading
}

/**
 * Repairs a model, ours or one that was trained elsewhere, with a few clean images: by a defense that needs nothing else. Part
 * of the images is held out and measured on before and after. The run keeps the model as it was given.
 */
export async function runRepair(folder: RunFolder, listener: Listener, given?: GivenModel): Promise<RepairResult> {
  const { config } = folder
  const compute = settleRun(folder)
  const began = performance.now()
  const before = folder.file('before.safetensors')

  return arena(async () => {
    const { train: images, problems } = await loadDataset(config, listener)
    if (!existsSync(before)) keepModel(given)
    const { file, hash } = folder.readJson('given.json') as { file: string; hash: string }
    const environment = rememberEnvironment(folder, images, null, compute, listener.say)
    const { kept, apart } = holdOut(images, config)
    const known = describeModel(before)
    const labelled = (set: ImageSet) =>
      inClassesOf(known, set, {
        action: `Cannot repair '${file}' with '${config.data}'`,
        whose: "the model's",
        who: 'the model takes',
      })

    const { classifier, description } = await repairModel(
      config,
      { file: before, clean: labelled(kept) },
      {
        compute,
        random: new Random(config.seed).fork('defense'),
        checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
        reporter: keepingMetrics(folder, listener),
      },
    )
    const modelHash = saveModel(folder.file('model.safetensors'), classifier, description)
    const heldOut = apart && labelled(apart)
    const accuracy = async (model: typeof classifier) => {
      if (!heldOut) return null
      const onDevice = loader(heldOut, compute.device)
      const share = await accuracyOn(model, onDevice)
      onDevice.free()
      return share
    }
    const measured = {
      heldOutImages: heldOut?.labels.length ?? 0,
      accuracyBefore: await accuracy(loadModel(before, compute).model),
      accuracyAfter: await accuracy(classifier),
    }
    const result = repairSchema.parse({
      version: resultVersion,
      run: folder.path,
      given: file,
      givenHash: hash,
      data: config.data,
      defense: config.defense,
      preset: config.preset,
      model: config.model,
      seed: config.seed,
      classes: known.classes,
      cleanImages: kept.labels.length,
      ...measured,
      remarks: remarksOn(measured),
      skippedFiles: problems,
      files: {
        model: folder.file('model.safetensors'),
        before,
      },
      modelHash,
      seconds: (performance.now() - began) / 1000,
      environment,
    })
    folder.writeJson('result.json', result)
    return result

    /** Writes the model down as it was given, with what its own file may not say. */
    function keepModel(model: GivenModel | undefined): void {
      if (!model)
        throw new UserError('data', `Cannot go on with '${folder.path}': before.safetensors is not there; restore it`)
      const loaded = loadModel(model.file, compute, model.reading)
      const description = named(loaded.description, { images, file: model.file })
      folder.writeJson('given.json', { file: model.file, hash: hashOfModel(model.file) })
      saveModel(before, loaded.model, description)
    }
  })
}

/** With the names of its classes: those of the images, in their order, where nobody gave any and they are as many. */
function named(
  { nameless, ...description }: ModelDescription,
  { images, file }: { images: ImageSet; file: string },
): ModelDescription {
  if (!nameless) return description
  const [own, theirs] = [description.classes.length, images.classes.length]
  if (own === theirs) return { ...description, classes: images.classes }
  const facts = `it tells ${own} classes apart and does not name them, and the images have ${theirs}`
  throw new UserError('usage', `Cannot repair '${file}': ${facts}; name its classes by --classes`)
}

/** What a repair cannot know, a sentence each. */
function remarksOn({
  heldOutImages,
  accuracyBefore,
  accuracyAfter,
}: Pick<RepairResult, 'heldOutImages' | 'accuracyBefore' | 'accuracyAfter'>): string[] {
  const lost = (accuracyBefore ?? 0) - (accuracyAfter ?? 0)
  const unknown = [
    'Whether the model had a backdoor cannot be known from clean images, and so neither whether one is gone',
    'A trigger that you know can be measured: deconfound evaluate RUN --trigger, or --attack with --data',
  ]
  if (heldOutImages === 0)
    unknown.push(
      'No clean image was held out: what the repair costs is not measured; give more images, or a larger --holdout',
    )
  else if (heldOutImages < fewImages)
    unknown.push(
      `${heldOutImages} held-out images are few: one of them is ${(100 / heldOutImages).toFixed(1)} points of accuracy`,
    )
  if (lost > muchLost)
    unknown.push(
      `The repair cost ${Math.round(100 * lost)} points of accuracy: give more clean images, or try another --defense or shorter training`,
    )
  return unknown
}

const fewImages = 50
const muchLost = 0.1

/** What `repair` does unless told otherwise. */
export const repairDefaults = { defense: 'fine-pruning', holdout: 0.2 } as const

/** The defenses that repair a model without the images that it was trained on. */
export const repairing = (Object.entries(defenses) as [DefenseName, DefenseEntry][]).flatMap(([name, { repairs }]) =>
  repairs ? [name] : [],
)

/** The settings of a repair: of the model's form and images, in the data set that the folder of clean images is. */
export function repairSettings(
  { file, reading }: GivenModel,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { clean, ...rest } = given
  if (typeof clean !== 'string' || clean === '')
    throw new UserError('usage', 'Cannot repair without clean images: give --clean, a folder of class folders')
  const settings = { ...repairDefaults, ...rest }
  const defense = String(settings.defense)
  const entry = Object.hasOwn(defenses, defense) ? (defenses[defense as DefenseName] as DefenseEntry) : undefined
  if (entry && !entry.repairs) {
    const facts = 'it needs the images that the model was trained on'
    throw new UserError('usage', `Cannot repair by '${defense}': ${facts}; choose ${repairing.join(', ')}`)
  }
  const forced = Object.entries(entry?.repairs ?? {}).map(
    ([option, value]) => [`defense.${kebab(option)}`, value] as const,
  )
  for (const [name, value] of forced) {
    const own = (rest as Record<string, unknown>)[name]
    if (own === undefined || own === value) continue
    const facts = 'that needs the images that the model was trained on'
    throw new UserError(
      'usage',
      `Cannot repair with ${name} '${own}': ${facts}; leave ${name} out, which is '${value}'`,
    )
  }
  const description = describeModel(file, reading)
  const dataset = datasetAt(clean)
  const form = Object.entries(description.options).map(([option, value]) => [`model.${kebab(option)}`, value] as const)
  return {
    ...settings,
    ...Object.fromEntries(forced),
    ...Object.fromEntries(form),
    ...takenAs(description, dataset),
    model: description.model,
    dataset,
    data: clean,
    attack: 'none',
    'test-share': 0,
  }
}
