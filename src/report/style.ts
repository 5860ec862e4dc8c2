/** Colors of the report, in light and dark; figures use them by name. Text on paper has a contrast of at least 4.5. */
export const colors = {
  light: {
    paper: '#ffffff',
    panel: '#f4f5f7',
    ink: '#1b1f24',
    muted: '#59636e',
    rule: '#d5d9df',
    accent: '#0b62c4',
    bad: '#b42318',
    warn: '#8f5b00',
    good: '#1a6f37',
  },
  dark: {
    paper: '#14171c',
    panel: '#1f242b',
    ink: '#e8eaed',
    muted: '#a4adb8',
    rule: '#3a424d',
    accent: '#6cb0ff',
    bad: '#ff8a80',
    warn: '#e8b04b',
    good: '#6fd08c',
  },
} as const

const variables = (values: Readonly<Record<string, string>>) =>
  Object.entries(values)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';')

/** The one style sheet of the report. */
export const style = `
:root{color-scheme:light dark;${variables(colors.light)}}
@media screen and (prefers-color-scheme:dark){:root{${variables(colors.dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
main,header,footer{max-width:60rem;margin:0 auto;padding:0 1rem}
a{color:var(--accent)}
h1{font-size:1.9rem;line-height:1.2;margin:.4rem 0}
h2{font-size:1.35rem;margin:2.5rem 0 .5rem;border-top:1px solid var(--rule);padding-top:1.2rem}
h3{font-size:1.05rem;margin:1.6rem 0 .3rem}
p,ul,ol{margin:.4rem 0 .8rem;max-width:44rem}
li{margin:.15rem 0}
code{font:.9em ui-monospace,monospace;background:var(--panel);padding:.1em .3em;border-radius:3px}
.note{color:var(--muted);font-size:.9rem}
.verdict{background:var(--panel);border-left:.5rem solid var(--tone);padding:1rem 1.2rem;margin:1rem 0;border-radius:4px}
.verdict h1{color:var(--tone)}
.verdict .lead{font-size:1.15rem}
.strip{display:grid;grid-template-columns:repeat(8,minmax(0,96px));gap:.5rem;margin:.8rem 0;padding:0;list-style:none;max-width:none}
.strip li{margin:0}.strip .pixels,.strip .gone{width:100%;height:auto;aspect-ratio:1}
.found{--tone:var(--bad)}.weak{--tone:var(--warn)}.none{--tone:var(--good)}.not-judged{--tone:var(--muted)}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0;padding:0;list-style:none;max-width:none}
.tiles li{background:var(--panel);padding:.6rem .9rem;border-radius:4px;flex:1 1 11rem;margin:0}
.tiles strong{display:block;font-size:1.5rem}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:.9rem .7rem;margin:.6rem 0 1rem;padding:0;list-style:none;max-width:none}
.gallery.wide{grid-template-columns:repeat(auto-fill,minmax(144px,1fr))}.wide .pixels,.wide .gone{width:144px;height:144px}
.gallery li{margin:0;min-width:0}
.gallery figure,.pairs figure{margin:0}
.pixels{display:block;width:96px;height:96px;object-fit:contain;image-rendering:pixelated;background:var(--panel);border-radius:3px}
.gone{display:flex;align-items:center;justify-content:center;width:96px;height:96px;background:var(--panel);color:var(--muted);font-size:.8rem;text-align:center;border-radius:3px}
.gallery figcaption{font-size:.78rem;line-height:1.3;margin-top:.2rem}
.gallery figcaption .file{display:block;color:var(--muted);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.mark{font-weight:600}.mark.poisoned{color:var(--bad)}.mark.clean{color:var(--good)}.mark.cover{color:var(--warn)}
.pairs{display:flex;flex-wrap:wrap;gap:1rem;padding:0;list-style:none;max-width:none}
.pairs li{display:flex;gap:.3rem;background:var(--panel);padding:.4rem;border-radius:4px;margin:0}
.pairs figcaption{font-size:.78rem;color:var(--muted)}
.plot{margin:1rem 0;overflow-x:auto}
.plot svg{display:block;max-width:100%;height:auto}
.plot figcaption{color:var(--muted);font-size:.9rem;max-width:44rem}
.row{display:flex;flex-wrap:wrap;gap:0 2rem}
.row>*{flex:1 1 20rem;min-width:0}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;margin:.6rem 0;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--rule)}
th{font-weight:600}
thead th{border-bottom:2px solid var(--rule)}
td,code,figcaption{overflow-wrap:anywhere}.row td,.triggers td{overflow-wrap:break-word}
td.number{text-align:right;font-variant-numeric:tabular-nums}
.triggers .pixels,.triggers .gone{width:96px;height:96px}
.key span{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .9em;border-radius:2px}
details summary{cursor:pointer;color:var(--accent)}
footer{color:var(--muted);font-size:.85rem;padding-bottom:2rem;margin-top:2rem}
@media (max-width:30rem){.strip{grid-template-columns:repeat(4,minmax(0,96px))}.plot svg{min-width:29rem}.pairs{gap:.6rem}.pairs .pixels,.pairs .gone{width:70px;height:70px}.gallery{grid-template-columns:repeat(auto-fill,minmax(72px,1fr))}.gallery:not(.wide) .pixels,.gallery:not(.wide) .gone{width:72px;height:72px}h1{font-size:1.5rem}.triggers th,.triggers td{padding-right:.5rem;font-size:.85rem}.triggers .pixels,.triggers .gone{width:64px;height:64px}}
@page{margin:14mm}
@media print{body{font-size:10.5pt}details::details-content{content-visibility:visible;block-size:auto}details summary{list-style:none;color:inherit;font-weight:600}.key span,.verdict,.pixels{print-color-adjust:exact;-webkit-print-color-adjust:exact}.verdict,.tiles li,.pairs li{border:1px solid var(--rule)}h2,h3,h3+p{break-after:avoid}.gallery li,.plot,.pairs li,tr{break-inside:avoid}a{color:inherit}}
`
