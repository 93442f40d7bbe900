// Finds the test files and runs one of them.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';

const DEFAULT_TIME_OUT_SECONDS = 300;
const RESULTS = 'dist/results';
const REPORTER = new URL('./json-reporter.mjs', import.meta.url).pathname;

// Process 1 of the file's namespaces: it ends with node, and everything that the file left behind ends with it.
const INSIDE = `mount -t tmpfs tmpfs /run/netns && mkdir -p /run/wideplane && mount -t tmpfs tmpfs /run/wideplane &&
ip link set lo up || exit 1
"$@"
exit $?`;

/** Every test/KIND/NAME.test.ts, as { source, kind, compiled, timeOutSeconds, isAlone }; stale files in dist are not looked at. */
export function findTestFiles() {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !path.startsWith('fixtures/'))
    .sort()
    .map((path) => {
      const source = `test/${path}`;
      const text = readFileSync(source, 'utf8');
      const [kind] = path.split('/');
      const declared = /^\/\/ time-out: (\d+) s$/m.exec(text);
      return {
        source,
        kind,
        compiled: `dist/${source.replace(/\.ts$/, '.js')}`,
        timeOutSeconds: declared ? Number(declared[1]) : DEFAULT_TIME_OUT_SECONDS,
        isAlone: /^\/\/ alone$/m.test(text) || (kind === 'conformance' && !/^\/\/ beside others$/m.test(text)),
      };
    });
}

/** Runs one file and resolves to the results of its tests; what goes wrong with the file itself is one more, failed. */
export async function runTestFile(file, { coverage }) {
  mkdirSync(RESULTS, { recursive: true });
  const report = `${RESULTS}/${file.source.replaceAll('/', '-')}.jsonl`;
  rmSync(report, { force: true });
  const { code, output, timedOut } = await runIsolated(file, report, coverage);
  const events = readEvents(report);
  const results = resultsOf(file.source, events, output);
  const broken = timedOut
    ? `exceeded its time-out of ${file.timeOutSeconds} s`
    : results.length === 0
      ? `ran no test (exit status ${code})`
      : code !== 0 && results.every(({ passed }) => passed)
        ? `exited with status ${code} although every test passed`
        : undefined;
  if (broken !== undefined) {
    const unfinished = unfinishedTests(events).map((name) => `not finished: ${name}\n`);
    results.push({ name: `${file.source}: ${broken}`, passed: false, output: unfinished.join('') + output });
  }
  return results;
}

function runIsolated(file, report, coverage) {
  const node = ['--enable-source-maps', `--test-reporter=${REPORTER}`, `--test-reporter-destination=${report}`];
  const unshare = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const inside = ['bash', '-c', INSIDE, 'test', process.execPath, ...node, file.compiled];
  const env = { ...process.env };
  delete env['NODE_V8_COVERAGE'];
  if (coverage) env['NODE_V8_COVERAGE'] = 'coverage/tmp';
  return new Promise((resolve) => {
    const child = spawn('unshare', [...unshare, ...inside], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    let timedOut = false;
    const collect = (chunk) => (output += chunk);
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, file.timeOutSeconds * 1000);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output, timedOut });
    });
  });
}

function readEvents(report) {
  let text = '';
  try {
    text = readFileSync(report, 'utf8');
  } catch {
    // The process ended before its first test: no report.
  }
  // A process that is killed may leave half a line at the end.
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function resultsOf(source, events, output) {
  return events
    .filter(({ event, suite }) => event === 'fail' || (event === 'pass' && !suite))
    .map(({ event, name, skipped, todo, error }) => {
      const reason = skipped ? 'was skipped' : todo ? 'is marked todo' : event === 'fail' ? error : undefined;
      return {
        name: `${source} > ${name}`,
        passed: reason === undefined,
        output:
          reason === undefined ? '' : [reason, ...(output === '' ? [] : ['output of the file:', output])].join('\n'),
      };
    });
}

function unfinishedTests(events) {
  const ended = new Set(events.filter(({ event }) => event === 'end').map(({ name }) => name));
  return events.filter(({ event, name }) => event === 'begin' && !ended.has(name)).map(({ name }) => name);
}
