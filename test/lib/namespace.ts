// Network namespaces and devices for tests, made with ip(8) inside the namespaces that the test command runs a file in.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';

/** Runs a program and returns what it printed; a failure is an Error with what it complained of. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** `ip(8)` with one string of arguments. */
export const ip = (args: string): string => run('ip', ...args.split(' '));

/** Starts a program in a namespace. */
export function spawnIn(namespace: string, command: string, ...args: string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', namespace, command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Runs a Python program in a namespace to its end, without holding up the event loop; resolves to what it printed. */
export function python(namespace: string, program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawnIn(namespace, 'python3', '-c', program, ...args);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`python3 in ${namespace} ended with ${String(code)}`));
    });
  });
}

/** A veth pair: `here` in this namespace, `there` in `namespace`, which is made; both up. */
export function addVeth(here: string, there: string, namespace: string, mtu = 1500): void {
  ip(`netns add ${namespace}`);
  ip(`link add name ${here} mtu ${mtu} type veth peer name ${there} mtu ${mtu} netns ${namespace}`);
  ip(`-n ${namespace} link set dev lo up`);
  // What the kernel sends by itself would stand among the frames of a test.
  run('sysctl', '-qw', `net.ipv6.conf.${here}.disable_ipv6=1`);
  ip(`netns exec ${namespace} sysctl -qw net.ipv6.conf.${there}.disable_ipv6=1`);
  ip(`link set dev ${here} up`);
  ip(`-n ${namespace} link set dev ${there} up`);
}

/** Waits until `condition` holds; an Error that says `what` did not come about after `timeoutMs`. */
export async function eventually(what: string, condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
