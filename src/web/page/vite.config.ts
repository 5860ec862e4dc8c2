import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

// The page as files that a server of this machine gives, beside the compiled server. Nothing in them comes from elsewhere.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './', // the address holds the token
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../../../dist/src/web/page', import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0, // the page's policy lets no data in addresses run
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
    reportCompressedSize: false,
  },
})
