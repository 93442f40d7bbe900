// Joins what runs into few files in dist/bin: a process reads one file and a few shared ones instead of some hundred modules
// (docs/decisions/esbuild.md).
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const DIRECTORY = 'dist/bin';

rmSync(DIRECTORY, { recursive: true, force: true });
await build({
  // The executable, and the threads, which are started from a file beside it.
  entryPoints: [
    'src/cli/main.ts',
    'src/assembly/dataplaned/worker-main.ts',
    'src/assembly/dnsd/ring-engine-main.ts',
    'src/assembly/dnsd/socket-engine-main.ts',
    'src/assembly/dnsd/zone-loader-main.ts',
  ],
  outdir: DIRECTORY,
  entryNames: '[name]',
  chunkNames: 'shared-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Native packages are loaded from where they are installed.
  external: ['cap', 'raw-socket'],
  // Packages in CommonJS ask for modules of Node.js by require.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
  },
  sourcemap: true,
  logLevel: 'warning',
});
chmodSync(`${DIRECTORY}/main.js`, 0o755);
