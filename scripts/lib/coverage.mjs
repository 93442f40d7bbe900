// Coverage of the pure layers by the tests that run in the test's own process, from V8's data by c8.
import { rmSync } from 'node:fs';
import { runProgram } from './checks.mjs';

const PURE_LAYERS = ['core', 'wire', 'packet', 'tunnel', 'bridge', 'route', 'pipeline', 'dns', 'config'];
const LINES_PERCENT = 90;
const BRANCHES_PERCENT = 85;

/** Forgets the data of the run before; the test processes write theirs into coverage/tmp. */
export function prepareCoverage() {
  rmSync('coverage', { recursive: true, force: true });
}

export async function coverageLeg() {
  const included = PURE_LAYERS.flatMap((layer) => ['--include', `dist/src/${layer}/**`]);
  const thresholds = ['--check-coverage', '--lines', LINES_PERCENT, '--branches', BRANCHES_PERCENT];
  const report = ['report', '--all', '--src', 'dist/src', '--temp-directory', 'coverage/tmp', '--reporter', 'text'];
  const { code, output } = await runProgram('node_modules/.bin/c8', [
    ...report,
    ...included,
    ...thresholds.map(String),
  ]);
  const name = `coverage of the pure layers: lines >= ${LINES_PERCENT} %, branches >= ${BRANCHES_PERCENT} %`;
  return { name, passed: code === 0, output };
}
