import type { Command } from 'commander'

/** A command as the list of commands tells it; its module is loaded when it is given. */
export interface Listed {
  readonly name: string
  readonly description: string
  readonly load: () => Promise<Command>
}

/** All commands, in the order help shows them. */
export const commands: readonly Listed[] = [
  {
    name: 'demo',
    description: 'See the point: plain training obeys a hidden trigger, training by Deconfound does not',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  {
    name: 'train',
    description: 'Train on your own images, trusting none of them: a model, and a list of suspicious images',
    load: async () => (await import('./train.ts')).trainCommand,
  },
  {
    name: 'audit',
    description: 'Search your own images for poison without training a model: a verdict, a report, lists of suspects',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  {
    name: 'check',
    description: 'Say what is wrong with a data set before anything is trained: broken files, copies, telltale labels',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'predict',
    description: 'Classify image files with a model',
    load: async () => (await import('./predict.ts')).predictCommand,
  },
  {
    name: 'export',
    description: 'Write a model for other programs, as ONNX and safetensors, each opened again and compared',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'repair',
    description: 'Repair a model of unknown origin with a few images that you trust',
    load: async () => (await import('./repair.ts')).repairCommand,
  },
  {
    name: 'report',
    description: 'Draw the report of a finished run again: one HTML file with verdict, pictures and figures',
    load: async () => (await import('./report.ts')).reportCommand,
  },
  {
    name: 'suspects',
    description: 'Name the files that a run flagged, the most suspicious first, or move them out of the data',
    load: async () => (await import('./suspects.ts')).suspectsCommand,
  },
  {
    name: 'review',
    description: 'Decide on images of a run: keep, drop, unsure; what is decided stays with the run',
    load: async () => (await import('./review.ts')).reviewCommand,
  },
  {
    name: 'clean-list',
    description: 'Write the images of a run that are kept as a list of paths and labels',
    load: async () => (await import('./clean-list.ts')).cleanListCommand,
  },
  {
    name: 'run',
    description: 'An experiment with known truth: poison a data set, train by a defense, measure',
    load: async () => (await import('./run.ts')).runCommand,
  },
  {
    name: 'poison',
    description: 'Write a poisoned data set, and beside it the truth about it',
    load: async () => (await import('./poison.ts')).poisonCommand,
  },
  {
    name: 'preview',
    description: "Draw an attack's trigger: images clean, triggered, and the difference times 8",
    load: async () => (await import('./preview.ts')).previewCommand,
  },
  {
    name: 'evaluate',
    description: 'Measure a model on the test images of its run, and against the trigger that its run poisoned with',
    load: async () => (await import('./evaluate.ts')).evaluateCommand,
  },
  {
    name: 'detect',
    description: 'Look for the poison of an experiment with the model it trained, and compare with the truth',
    load: async () => (await import('./detect.ts')).detectCommand,
  },
  {
    name: 'resume',
    description: 'Go on with a run that was broken off, from its last checkpoint',
    load: async () => (await import('./resume.ts')).resumeCommand,
  },
  {
    name: 'figure3',
    description: "Draw how an experiment's networks see poisoned and clean images, as figure 3 of CBD does",
    load: async () => (await import('./figure3.ts')).figure3Command,
  },
  {
    name: 'sweep',
    description: 'Many experiments, recorded one by one; what is recorded already is not run again',
    load: async () => (await import('./sweep.ts')).sweepCommand,
  },
  {
    name: 'table',
    description:
      'What recorded experiments say: attacks by defenses, ASR (excess over training on clean data) / CA (difference from it) in percent',
    load: async () => (await import('./table.ts')).tableCommand,
  },
  {
    name: 'tune',
    description: "Compare a defense's settings by cross-validation on the training images, without clean ones",
    load: async () => (await import('./tune.ts')).tuneCommand,
  },
  {
    name: 'list',
    description: 'List runs, or what can be chosen: data sets, attacks, defenses, detectors, models',
    load: async () => (await import('./list.ts')).listCommand,
  },
  {
    name: 'ui',
    description: 'Show runs on a page for this machine alone: curves, comparisons, embeddings, suspects to review',
    load: async () => (await import('./ui.ts')).uiCommand,
  },
  {
    name: 'data',
    description: 'Download a published data set: goes on where it broke off, compares digests, unpacks',
    load: async () => (await import('./data.ts')).dataCommand,
  },
  {
    name: 'cache',
    description: 'What the cache holds: decoded images, what was learned, the compiled addon; or clear it',
    load: async () => (await import('./cache.ts')).cacheCommand,
  },
  {
    name: 'completion',
    description: 'Print what lets bash, zsh or fish complete commands, options and names',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'doctor',
    description: 'Say what this machine has, what a run would choose, and why',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
]
