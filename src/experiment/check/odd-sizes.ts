// Files whose pictures are of another size or shape than most, or smaller than what is trained on.
import type { FileFacts } from '../../datasets/file-facts.ts'
import { median } from '../measure/statistics.ts'
import { type Check, type Item, nameOf, picturesOf, plural } from './finding.ts'

/** How many times the median an unusual side or aspect is at least, whatever the spread. */
const leastFactor = 2
/** How far from the median an unusual value lies, in robust standard deviations (1.4826 × median deviation) of its logarithm. */
const mostDeviations = 6
const robust = 1.4826

export const oddSizes: Check = {
  title: 'images of an unusual size or shape, or smaller than the size of training',
  find(material) {
    const { sets, files } = material
    if (!sets) return null
    const [, height, width] = sets.train.shape
    const sized = picturesOf(material).flatMap((picture) => {
      const size = files.get(picture.file)?.size
      return size ? [{ picture, size }] : []
    })
    const isOdd = {
      height: unusual(sized.map(({ size }) => size.height)),
      width: unusual(sized.map(({ size }) => size.width)),
      aspect: unusual(sized.map(({ size }) => size.width / size.height)),
    }
    const items = sized.flatMap(({ picture, size }): Item[] => {
      const odd = [
        ...(isOdd.width(size.width) ? ['unusual width'] : []),
        ...(isOdd.height(size.height) ? ['unusual height'] : []),
        ...(isOdd.aspect(size.width / size.height) ? ['unusual aspect'] : []),
        ...(size.width < width || size.height < height ? [`smaller than ${width}×${height}, and made larger`] : []),
      ]
      if (odd.length === 0) return []
      const says = `${told(size)}: ${odd.join(', ')}`
      return [{ says, images: [nameOf(picture)], classes: [picture.class], figures: size }]
    })
    return items.length === 0 ? null : { says: `${plural(items.length, 'image')} of unusual or small size`, items }
  },
}

const told = ({ width, height }: NonNullable<FileFacts['size']>) => `${width}×${height} pixels`

/** Tells values that lie far from the median of all, on a scale of factors. */
function unusual(values: readonly number[]): (value: number) => boolean {
  const logarithms = values.map(Math.log)
  const center = median(logarithms) ?? 0
  const spread = robust * (median(logarithms.map((value) => Math.abs(value - center))) ?? 0)
  const most = Math.max(Math.log(leastFactor), mostDeviations * spread)
  return (value) => Math.abs(Math.log(value) - center) > most
}
