import { UserError } from '../errors.ts'
import type { Problem } from './dataset.ts'
import { linkOut, linkToFolder, type TreeFolder } from './folder-tree.ts'

/** Refuses the data: the facts, the remedy. */
export type Refuse = (facts: string, remedy: string) => never

/** Data that cannot be used, with all that was found wrong until then. */
export class DataRefusal extends UserError {
  readonly problems: readonly Problem[]

  constructor(message: string, problems: readonly Problem[]) {
    super('data', message)
    this.problems = problems
  }
}

/** A UserError that also says how many links were not followed, which may be all that somebody sees in the folder. */
export function refusal(data: string, problems: readonly Problem[]): Refuse {
  return (facts, remedy) => {
    const count = (reason: string) => problems.filter((problem) => problem.reason === reason).length
    const [out, folders] = [count(linkOut), count(linkToFolder)]
    const links = [
      ...(out > 0 ? [`${plural(out, 'link')} out of the folder`] : []),
      ...(folders > 0 ? [`${plural(folders, 'link')} to a folder`] : []),
    ]
    const told = links.length === 0 ? '' : `; ${links.join(' and ')} ${out + folders === 1 ? 'is' : 'are'} not followed`
    const way = out + folders === 0 ? remedy : `${remedy}, as files and not as links`
    throw new DataRefusal(`Cannot load images from "${data}": ${facts}${told}. ${way}`, [...problems])
  }
}

/** A number and its noun. */
export const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Names of folders for a sentence. */
export const some = (folders: readonly TreeFolder[]) =>
  folders
    .slice(0, 3)
    .map(({ path }) => `"${path}"`)
    .join(', ') + (folders.length > 3 ? ` and ${folders.length - 3} more` : '')
