// Programs that run to their end, and programs that run beside the test.

import { spawn, type ChildProcess } from 'node:child_process';
import { waitFor } from './wait.ts';

export type Outcome = { status: number; stdout: string; stderr: string };

export type ProgramOptions = {
  /** How long it should take at most; it is killed after three times that. Default 20. */
  seconds?: number;
  env?: Record<string, string>;
  input?: string;
};

/** Runs a program to its end; rejects only when it cannot be started or takes too long. */
export function attempt(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  const seconds = (options.seconds ?? 20) * 3;
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { env: { ...process.env, ...options.env } });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    // A program that ends without reading its input closes the pipe under us.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${argv.join(' ')}: not done within ${seconds} s\n${output.stdout}${output.stderr}`));
    }, seconds * 1000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ status: code ?? -1, ...output });
    });
  });
}

/** Runs a program to its end and resolves to its standard output; rejects when its status is not 0. */
export async function run(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const outcome = await attempt(argv, options);
  if (outcome.status !== 0) throw statusError(argv, outcome);
  return outcome.stdout;
}

export const statusError = (argv: readonly string[], { status, stdout, stderr }: Outcome): Error =>
  new Error(`${argv.join(' ')}: status ${status}\n${stdout}${stderr}`);

/** A program that runs until it is stopped; what it writes is kept. */
export class Program {
  readonly argv: readonly string[];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #output = '';
  #status: number | undefined;

  constructor(argv: readonly string[], options: { env?: Record<string, string> } = {}) {
    this.argv = argv;
    const child = spawn(argv[0]!, argv.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
      // What still runs at the end of a test file ends with its namespaces; it shall not keep the file from ending.
      (stream as unknown as { unref(): void }).unref();
    }
    child.unref();
    this.#child = child;
    this.#ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve((this.#status = code ?? (signal === null ? -1 : 128))));
    });
    // Whoever waits for the end hears of it; nobody may be waiting yet.
    this.#ended.catch(() => undefined);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.argv.join(' ')} could not be started`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#status === undefined;
  }

  /** Everything written so far, standard output and standard error as they came. */
  get output(): string {
    return this.#output;
  }

  /** Waits until the output holds a match; rejects at once when the program ends first. */
  async expect(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    const found = await waitFor(
      `${this.argv.join(' ')} writes ${String(pattern)}`,
      seconds,
      () => pattern.exec(this.#output) ?? (this.isRunning ? undefined : 'ended'),
      () => this.#output,
    );
    if (found === 'ended') throw new Error(`${this.argv.join(' ')} ended before ${String(pattern)}\n${this.#output}`);
    return found;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves to the exit status when it has ended by itself; rejects after three times `seconds`. */
  async end(seconds: number): Promise<number> {
    await waitFor(
      `${this.argv.join(' ')} ends`,
      seconds,
      () => !this.isRunning,
      () => this.#output,
    );
    return this.#ended;
  }

  /** Asks it to stop, kills it after three times `seconds`, resolves to the exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', seconds = 5): Promise<number> {
    if (this.isRunning) this.signal(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), seconds * 3000);
    const status = await this.#ended;
    clearTimeout(timer);
    return status;
  }
}
