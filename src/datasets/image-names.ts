// What the names of files and folders say: which files are images, and which class a folder is.
import type { TreeFile, TreeFolder } from './folder-tree.ts'

/** Endings of images' names; those of formats that are not read are here so that their content is named as the reason. */
const imageName = /\.(jpe?g|jpe|jfif|png|webp|p[pn]m|gif|bmp|tiff?|svg|avif|hei[cf]|jxl|jp2)$/i

/** Whether a file of this name or path is an image, by its ending. */
export const isImageName = (name: string) => imageName.test(name)

/** Whether a file is an image, by its name. */
export const isImage = ({ path }: TreeFile) => isImageName(path)

/** A class's name, however Unicode spells it. */
export const className = ({ name }: TreeFolder) => name.normalize('NFC')
