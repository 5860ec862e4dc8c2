/** A cell that a spreadsheet shows as text whatever it holds: quoted, and never the start of a formula. */
export function textCell(text: string): string {
  const harmless = /^'*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}

/** The text that such a cell was made of, its quotes taken away. */
export function plainText(cell: string): string {
  return cell.replace(/^'(?='*[=+\-@\t\r\n])/, '')
}

/** Rows of cells as they stand, a line each. */
export function csv(rows: readonly (readonly string[])[]): string {
  return `${rows.map((row) => row.join(',')).join('\n')}\n`
}
