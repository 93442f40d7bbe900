// Failures of the disk, injected with strace into the system calls of a running configd: whatever fails, the file is the
// old one or the new one, whole, and the message says which.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { IpcError } from '../../src/ipc/ipc-error.ts';
import { ConfigdProcess, ask, killRunning } from '../support/configd-process.ts';

const root = mkdtempSync(join(tmpdir(), 'config-faults-'));
const tracers = new Set<ChildProcess>();
afterEach(() => {
  for (const tracer of tracers) tracer.kill('SIGKILL');
  killRunning();
});
after(() => rmSync(root, { recursive: true }));

/** strace attached to a process with all its threads, or to one thread. */
class Trace {
  readonly #file = join(mkdtempSync(join(root, 't')), 'trace');
  readonly #process: ChildProcess;
  #said = '';

  private constructor(args: readonly string[]) {
    this.#process = spawn('strace', ['-y', '-o', this.#file, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    tracers.add(this.#process);
    this.#process.stderr!.on('data', (text: Buffer) => (this.#said += text.toString()));
  }

  static async attach(args: readonly string[]): Promise<Trace> {
    const trace = new Trace(args);
    while (!trace.#said.includes('attached')) {
      assert.equal(trace.#process.exitCode, null, trace.#said);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return trace;
  }

  /** Detaches; the lines of the trace. */
  async end(): Promise<string[]> {
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.kill('SIGINT');
    await closed;
    tracers.delete(this.#process);
    return readFileSync(this.#file, 'utf8').split('\n');
  }
}

/** configd whose files are all written by one thread, so that its calls can be counted. */
class Subject {
  readonly directory = mkdtempSync(join(root, 'd'));
  readonly state = join(this.directory, 'state');
  readonly history = join(this.state, 'configd', 'history');
  readonly running = join(this.state, 'configd', 'running.conf');
  readonly file = join(this.directory, 'wideplane.conf');
  readonly known = new Set<string>();
  daemon!: ConfigdProcess;
  #client!: IpcClient;
  #number = 0;

  async start(): Promise<this> {
    this.daemon = new ConfigdProcess(this.state, this.file, { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' });
    await this.daemon.ready();
    this.#client = await IpcClient.connect(join(this.state, 'configd.sock'));
    return this;
  }

  async stop(): Promise<void> {
    this.#client.close();
    assert.equal(await this.daemon.stop('SIGTERM'), 0);
  }

  async run(command: string): Promise<string | undefined> {
    try {
      await ask(this.#client, command);
      return undefined;
    } catch (error) {
      if (!(error instanceof IpcError)) throw error;
      return error.message;
    }
  }

  get text(): string {
    return readFileSync(this.file, 'utf8');
  }

  /** Changes what runs and waits until that is on disk; the text that a save will write. */
  async change(): Promise<string> {
    const description = `number-${++this.#number}`;
    assert.equal(await this.run(`modify net vlan a description ${description}`), undefined);
    let text = '';
    while (!text.includes(description)) {
      text = existsSync(this.running) ? readFileSync(this.running, 'utf8') : '';
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const expected = text.slice(text.indexOf('\n') + 1);
    this.known.add(expected);
    return expected;
  }

  /** Temporary files beside the file and in the history. */
  get leftovers(): string[] {
    return [...readdirSync(this.directory), ...readdirSync(this.history)].filter((name) => name.endsWith('.tmp'));
  }

  checkVersions(): void {
    for (const name of readdirSync(this.history).filter((each) => each.endsWith('.conf'))) {
      assert.ok(
        this.known.has(readFileSync(join(this.history, name), 'utf8')),
        `${name} is no text that was ever saved`,
      );
    }
  }
}

async function started(): Promise<Subject> {
  const subject = new Subject();
  const text = 'net vlan a {\n    tag 5\n}\n';
  writeFileSync(subject.file, text);
  subject.known.add(text);
  await subject.start();
  await subject.change();
  assert.equal(await subject.run('save sys config'), undefined);
  return subject;
}

const CALLS = 'trace=openat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,close';

/** The save, traced; and the thread that writes files. */
async function traced(subject: Subject): Promise<{ lines: string[]; thread: string }> {
  await subject.change();
  const trace = await Trace.attach(['-f', '-e', CALLS, '-p', String(subject.daemon.process.pid)]);
  assert.equal(await subject.run('save sys config'), undefined);
  const lines = await trace.end();
  const thread = /^(\d+) +fsync\(/.exec(lines.find((line) => line.includes(' fsync(')) ?? '')?.[1];
  assert.ok(thread !== undefined, lines.join('\n'));
  return { lines, thread };
}

describe('a save', { timeout: 300_000 }, () => {
  it('syncs the file, renames it, and syncs the directory, in that order, behind the version that it keeps', async () => {
    const subject = await started();
    const { lines } = await traced(subject);
    const at = (from: number, pattern: RegExp) => {
      const index = lines.findIndex((line, position) => position >= from && pattern.test(line));
      assert.ok(index >= 0, `no ${pattern.source} behind line ${from} of\n${lines.join('\n')}`);
      return index;
    };
    const escaped = (path: string) => path.replace(/[.+]/g, '\\$&');
    /** Where the file is synced, renamed, and its directory synced. */
    const replaced = (directory: string, name: string) => {
      const place = escaped(directory);
      const written = at(0, new RegExp(`write.*<${place}/\\.${name}\\.\\d+\\.\\d+\\.tmp>`));
      const synced = at(written, new RegExp(`fsync\\(\\d+<${place}/\\.${name}\\.\\d+\\.\\d+\\.tmp>\\) += 0`));
      const renamed = at(
        synced,
        new RegExp(`rename\\("${place}/\\.${name}\\.\\d+\\.\\d+\\.tmp", "${place}/${name}"\\) += 0`),
      );
      return { synced, renamed, settled: at(renamed, new RegExp(`fsync\\(\\d+<${place}>\\) += 0`)) };
    };
    const file = replaced(subject.directory, 'wideplane\\.conf');
    const version = replaced(subject.history, '0000\\d-\\d+T\\d+Z\\.conf');
    const index = replaced(subject.history, 'index\\.json');
    const order = [
      file.synced,
      version.renamed,
      version.settled,
      index.renamed,
      index.settled,
      file.renamed,
      file.settled,
    ];
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    await subject.stop();
  });

  it('fails without harm wherever a call fails: open, write, fsync, rename, unlink and close, with EIO and ENOSPC', async (context) => {
    const subject = await started();
    const { thread } = await traced(subject);
    const outcomes = new Map<string, number>();
    for (const call of ['openat', 'pwrite64', 'fsync', 'rename', 'unlink', 'close']) {
      for (const errno of ['EIO', 'ENOSPC']) {
        let isInjected = true;
        for (let nth = 1; isInjected; nth++) {
          const before = subject.text;
          const expected = await subject.change();
          const trace = await Trace.attach([
            '-e',
            `trace=${call}`,
            '-e',
            `inject=${call}:error=${errno}:when=${nth}`,
            '-p',
            thread,
          ]);
          const said = await subject.run('save sys config');
          const lines = await trace.end();
          const injected = lines.find((line) => line.includes('(INJECTED)'));
          isInjected = injected !== undefined;
          const what = `${call} ${nth} ${errno}: ${said ?? 'saved'}; ${injected ?? 'nothing was injected'}`;
          const now = subject.text;
          if (said === undefined) {
            assert.equal(now, expected, what);
          } else {
            assert.ok(isInjected, what);
            assert.match(said, new RegExp(`^cannot write ${subject.file}: .*\\(${errno}\\)`), what);
            const isNew = said.includes('the new file is in place, but may not survive a power cut');
            if (!isNew) assert.match(said, /the old file is intact$/, what);
            assert.equal(now, isNew ? expected : before, what);
          }
          if (call !== 'unlink') assert.deepEqual(subject.leftovers, [], what);
          subject.checkVersions();
          const kind = said === undefined ? 'saved all the same' : now === before ? 'old file' : 'new file';
          outcomes.set(`${call}: ${kind}`, (outcomes.get(`${call}: ${kind}`) ?? 0) + (isInjected ? 1 : 0));
          // The next save is as good as any.
          assert.equal(await subject.run('save sys config'), undefined, what);
          assert.equal(subject.text, expected, what);
        }
      }
    }
    context.diagnostic([...outcomes].map(([kind, count]) => `${kind} ${count}`).join(', '));
    for (const call of ['openat', 'pwrite64', 'fsync', 'rename']) {
      // The file itself, the version that is kept, and the index, twice; what runs may be written meanwhile and take a turn.
      assert.ok((outcomes.get(`${call}: old file`) ?? 0) >= 3, `${call}: ${[...outcomes].join(' ')}`);
    }
    assert.ok((outcomes.get('fsync: new file') ?? 0) >= 1);
    await subject.stop();
    const { text } = subject;
    await subject.start();
    assert.equal(await subject.run('list net vlan a'), undefined);
    assert.equal(subject.text, text);
    await subject.stop();
  });
});
