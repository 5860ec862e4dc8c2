// What the makers of a data set publish, so that `data fetch` can get it. An entry that has a release declares it.

/** A file that is published. */
export interface Archive {
  readonly url: string
  readonly bytes: number
  /** of the file, as published: by MD5, which notices damage, and by SHA-256, which notices forgery, where known */
  readonly md5: string
  readonly sha256?: string
  readonly form: 'tar.gz' | 'zip'
  /** the folder that the archive's own paths are taken in; by default that around the data set's folder */
  readonly into?: string
}

/** A data set as it is published. */
export interface Release {
  readonly archives: readonly Archive[]
  /** the folder that the archives make; nothing else of them is written */
  readonly folder: string
  /** what all files together may have, unpacked */
  readonly mostBytes: number
  readonly mostFiles: number
  /** files that are there when all is, below the folder; with their MD5 where that is published */
  readonly files: Readonly<Record<string, string | null>>
}
