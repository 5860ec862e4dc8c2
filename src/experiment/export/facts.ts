import type { ModelDescription } from '../store/saved-model.ts'

/** What an exported file says of its model: texts by name, whatever is no text as JSON. docs/guide.md lists them for readers. */
export function factsOf(of: ModelDescription): Record<string, string> {
  const { model, options, classes, shape, normalization, fit, ground = 'black' } = of
  return {
    model,
    options: JSON.stringify(options),
    classes: JSON.stringify(classes),
    shape: JSON.stringify(shape),
    normalization: JSON.stringify(normalization),
    pixels: 'red, green, blue; [batch, channels, height, width]; from 0 (dark) to 1',
    fit,
    ground,
  }
}
