// Marks dist/cjs as CommonJS. Its package.json is the nearest one to those files, so it repeats "imports".
import { writeFileSync } from 'node:fs';

const manifest = {
  type: 'commonjs',
  imports: { '#platform': { node: './platform.node.js', default: './platform.web.js' } },
};
writeFileSync(new URL('../dist/cjs/package.json', import.meta.url), `${JSON.stringify(manifest, null, 2)}\n`);
