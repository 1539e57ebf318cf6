// What package.json promises to each kind of importer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = new URL('../', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', root)));

/** The file that a target leads to under these conditions: the first that holds, as Node and bundlers choose. */
function resolve(target, conditions) {
  if (typeof target === 'string') return target;
  for (const [condition, next] of Object.entries(target)) {
    if (condition === 'default' || conditions.includes(condition)) {
      const found = resolve(next, conditions);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

describe('conditions', () => {
  const importers = {
    'Node, import': [['node', 'import'], 'esm/index.js', 'esm/platform.node.js'],
    'Node, require': [['node', 'require'], 'cjs/index.js', 'esm/platform.node.js'],
    'a browser': [['browser', 'import'], 'esm/index.js', 'esm/platform.web.js'],
    'a worker': [['workerd', 'worker', 'browser', 'import'], 'esm/index.js', 'esm/platform.web.js'],
    'a worker, of a bundler that requires': [['workerd', 'worker', 'browser', 'require'], 'cjs/index.js', 'esm/platform.web.js'],
    'an edge runtime': [['edge-light', 'import'], 'esm/index.js', 'esm/platform.web.js'],
    'TypeScript, import': [['types', 'import', 'node'], 'esm/index.d.ts'],
    'TypeScript, require': [['types', 'require', 'node'], 'cjs/index.d.ts'],
  };
  for (const [who, [conditions, index, platform]] of Object.entries(importers)) {
    test(who, () => {
      assert.equal(resolve(manifest.exports['.'], conditions), `./dist/${index}`);
      assert.ok(existsSync(new URL(`dist/${index}`, root)));
      if (platform === undefined) return;
      assert.equal(resolve(manifest.imports['#platform'], conditions), `./dist/${platform}`);
      // The nearest package.json of dist/cjs is one of its own.
      const nearest = JSON.parse(readFileSync(new URL('dist/cjs/package.json', root)));
      assert.equal(resolve(nearest.imports['#platform'], conditions), platform.replace('esm/', './'));
    });
  }

  test('the same names by import and by require', async () => {
    const imported = await import(manifest.name);
    const required = createRequire(import.meta.url)(manifest.name);
    assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
  });
});

describe('without Node', () => {
  for (const format of ['esm', 'cjs']) {
    test(`no module of Node's is reached: ${format}`, () => {
      const seen = new Set();
      const walk = (file) => {
        if (seen.has(file)) return;
        seen.add(file);
        const text = readFileSync(new URL(`dist/${format}/${file}`, root), 'utf8');
        for (const [, specifier] of text.matchAll(/\b(?:from|import|require\()\s*['"]([^'"]+)['"]/g)) {
          if (specifier === '#platform') walk('platform.web.js');
          else if (/^\.\/[\w.]+\.js$/.test(specifier)) walk(specifier.slice(2));
          else assert.fail(`${file} reaches ${specifier}`);
        }
        for (const name of ['process', 'Buffer', '__dirname', 'setImmediate']) {
          assert.doesNotMatch(text.replace(/\/\*[^]*?\*\/|\/\/.*/g, ''), new RegExp(`(?<![\\w.'"\`])${name}\\b(?!['"\`])`), `${file} uses ${name}`);
        }
      };
      walk('index.js');
      assert.ok(seen.size > 10 && !seen.has('platform.node.js'), [...seen].join());
    });
  }

  test('it runs where only what the web has is there', () => {
    const program = fileURLToPath(new URL('web.mjs', import.meta.url));
    const out = execFileSync(process.execPath, ['--experimental-vm-modules', '--no-warnings', program, fileURLToPath(new URL('dist/esm/', root))]);
    assert.equal(String(out).trim(), 'verified, published');
  });
});

describe('types', () => {
  const { ModuleKind, ModuleResolutionKind: Resolution, ScriptTarget } = ts;
  const found = (importer, options, mode) =>
    ts.resolveModuleName(manifest.name, fileURLToPath(new URL(`test/types/${importer}`, root)), options, ts.sys, undefined, undefined, mode).resolvedModule
      ?.resolvedFileName.replaceAll('\\', '/');
  test('of an import', () => {
    assert.match(found('a.mts', { module: ModuleKind.NodeNext, moduleResolution: Resolution.NodeNext }, ModuleKind.ESNext), /dist\/esm\/index\.d\.ts$/);
  });
  test('of a require', () => {
    assert.match(found('a.cts', { module: ModuleKind.NodeNext, moduleResolution: Resolution.NodeNext }, ModuleKind.CommonJS), /dist\/cjs\/index\.d\.ts$/);
  });
  test('of a bundler', () => {
    assert.match(found('a.ts', { module: ModuleKind.ESNext, moduleResolution: Resolution.Bundler }, ModuleKind.ESNext), /dist\/esm\/index\.d\.ts$/);
  });
  test('a program that requires compiles', () => {
    const program = ts.createProgram([fileURLToPath(new URL('test/types/require.cts', root))], {
      module: ModuleKind.NodeNext, moduleResolution: Resolution.NodeNext, target: ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: [], strict: true, noEmit: true,
    });
    assert.deepEqual(ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n')), []);
  });
});
