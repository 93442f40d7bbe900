// Whatever has a network stack and runs programs: a namespace of this kernel, or a guest with a kernel of its own.

import { type Outcome, type ProgramOptions, statusError } from './program.ts';

export abstract class Host {
  abstract readonly name: string;

  /** Runs a program to its end; rejects only when it cannot be started or takes too long. */
  abstract attempt(argv: readonly string[], options?: ProgramOptions): Promise<Outcome>;

  /** Runs a program to its end and resolves to its standard output; rejects when its status is not 0. */
  async run(argv: readonly string[], options?: ProgramOptions): Promise<string> {
    const outcome = await this.attempt(argv, options);
    if (outcome.status !== 0) throw statusError([`${this.name}:`, ...argv], outcome);
    return outcome.stdout;
  }

  ip(...args: string[]): Promise<string> {
    return this.run(['ip', ...args]);
  }

  bridge(...args: string[]): Promise<string> {
    return this.run(['bridge', ...args]);
  }

  async sysctl(settings: Record<string, string>): Promise<void> {
    await this.run(['sysctl', '-qw', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)]);
  }

  async addAddress(device: string, ...addresses: string[]): Promise<void> {
    for (const address of addresses) {
      await this.ip('address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    }
  }

  async mac(device: string): Promise<string> {
    const [link] = JSON.parse(await this.ip('-j', 'link', 'show', 'dev', device)) as { address: string }[];
    return link!.address;
  }

  /** Offloads of a device, on or off; off, what is read raw is what a wire would carry. */
  async setOffloads(device: string, on: boolean): Promise<void> {
    const state = on ? 'on' : 'off';
    const features = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, state]);
    // A device that lacks one of them says so and sets the others.
    await this.attempt(['ethtool', '-K', device, ...features]);
  }
}
