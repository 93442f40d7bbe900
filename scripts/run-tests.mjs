// Runs the compiled tests, each file in a process and in namespaces of its own, and the static checks beside them.
//
//   node scripts/run-tests.mjs [WORD..]      as root; only the test files whose path contains one of the words
//
// Fails when a test fails, is skipped or left to do, when a file runs no test or exceeds its time-out, when coverage of
// the pure layers is too low, or when a test that docs/features.yaml names did not pass. There are no retries.
import { readFileSync } from 'node:fs';
import { checkFeatures } from './lib/features.mjs';
import { coverageLeg, prepareCoverage } from './lib/coverage.mjs';
import { runCheck } from './lib/checks.mjs';
import { findTestFiles, runTestFile } from './lib/test-files.mjs';

// Two files run at once, in namespaces of their own, those with the longest time-out first; one that is alone (`// alone`, and
// test/conformance without `// beside others`) measures how long something takes, or what is lost meanwhile. Coverage is taken
// of the pure kinds.
const isPure = ({ kind }) => kind === 'unit' || kind === 'property';
const CHECKS = ['lint', 'types', 'imports', 'format'];
/** How much of what a failed test has said stands at the end. */
const REASON_LINES = 8;
const REASON_COLUMNS = 160;

const words = process.argv.slice(2);
const everything = words.length === 0;
const started = Date.now();
/** Of every test: { name, passed, output }. */
const outcomes = [];
let shown = 0;
/** Of `endedProcessorSeconds`, what the lines shown so far account for. */
let counted = 0;

/** Seconds of processor time of all processes that were started here and have ended. */
function endedProcessorSeconds() {
  // Fields 16 and 17 of proc(5), in hundredths of a second: cutime and cstime, counted after the name in brackets.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function record(label, results, milliseconds) {
  outcomes.push(...results);
  const processorSeconds = endedProcessorSeconds() - counted;
  counted += processorSeconds;
  const failures = results.filter((result) => !result.passed);
  const time = `${(milliseconds / 1000).toFixed(1)} s (${processorSeconds.toFixed(1)} s of processors)`;
  const state = failures.length === 0 ? 'ok  ' : 'FAIL';
  console.log(`${state} [${++shown}] ${label}: ${results.length} tests, ${failures.length} failed, ${time}`);
  for (const { name, output } of failures) console.log(`\n--- ${name}\n${output}\n---`);
}

/** `jobs`: { label, run }, where `run` resolves to results. */
async function runJobs(jobs, atOnce) {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const begun = Date.now();
      const results = await job.run();
      record(job.label, results, Date.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const checkJob = (name) => ({ label: `npm run check:${name}`, run: async () => [await runCheck(name)] });
const fileJob = (file) => ({
  label: file.source,
  run: () => runTestFile(file, { coverage: everything && isPure(file) }),
});

const files = findTestFiles().filter(({ source }) => everything || words.some((word) => source.includes(word)));
if (files.length === 0) {
  console.error(`no test file's path contains any of: ${words.join(', ')}`);
  process.exit(2);
}
if (everything) prepareCoverage();
await runJobs([...(everything ? CHECKS.map(checkJob) : []), ...files.filter(isPure).map(fileJob)], 2);
if (everything) record('coverage of the pure layers', [await coverageLeg()], 0);
const others = files.filter((file) => !isPure(file)).sort((one, other) => other.timeOutSeconds - one.timeOutSeconds);
await runJobs(others.filter(({ isAlone }) => !isAlone).map(fileJob), 2);
await runJobs(others.filter(({ isAlone }) => isAlone).map(fileJob), 1);
record(
  'docs/features.yaml',
  checkFeatures(
    outcomes,
    files.map(({ source }) => source),
    everything,
  ),
  0,
);

const failed = outcomes.filter(({ passed }) => !passed);
// The reasons once more, for those who have only the end of the output: what was thrown, and where.
const reasonOf = ({ output }) => {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/^ +at .*node:internal/.test(line));
  return lines.slice(0, REASON_LINES).map((line) => `      ${line.slice(0, REASON_COLUMNS)}\n`);
};
if (failed.length > 0) console.log('\nfailed:');
for (const result of failed) console.log(`  ${result.name}\n${reasonOf(result).join('')}`);
console.log(`\n${files.length} files in ${Math.round((Date.now() - started) / 1000)} s`);
console.log(`${outcomes.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);
