// Builds the page into dist/: one script, one style sheet, the world's land, and the page itself. Needs no
// network.
import { build } from 'esbuild';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');

mkdirSync(dist, { recursive: true });
await build({
  entryPoints: [join(here, 'page/cop.js'), join(here, 'page/cop.css')],
  outdir: dist,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'chrome120',
  legalComments: 'linked',
  logLevel: 'warning',
});
for (const name of ['index.html', 'icon.svg']) copyFileSync(join(here, 'page', name), join(dist, name));
copyFileSync(createRequire(import.meta.url).resolve('world-atlas/land-110m.json'), join(dist, 'land.json'));
