// A guest with a whole kernel of its own, Debian's, under QEMU: for what the kernel of this machine may lack (GRE and its like).
// Its processor is emulated, so that it runs where there is no virtualisation: it boots in seconds and is no measure of speed.
//
//   [ guest: eth0 ] ── TAP e0 [ namespace ]          one TAP a device; QEMU runs in the namespace and ends with it
//
// scripts/lib/guest-image.sh makes what it boots, scripts/lib/guest-init is its process 1.

import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Host } from './host.ts';
import { makeDirectory, type Namespace } from './namespace.ts';
import type { Outcome, Program, ProgramOptions } from './program.ts';
import { waitFor } from './wait.ts';

export type GuestOptions = {
  /** TAP devices to make in the namespace; in the guest they are eth0, eth1 ... Default: e0. */
  devices?: readonly string[];
  /** Frames may cross the TAP unfinished, as between a guest and its hypervisor; off, they are those of a wire. */
  offloads?: boolean;
  mtu?: number;
};

const MEMORY_MIB = 192;
const BOOT_SECONDS = 20;
let serial = 0;

export class Guest extends Host {
  override readonly name: string;
  readonly namespace: Namespace;
  readonly #qemu: Program;
  readonly #port: Socket;
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();
  #commands = 0;

  private constructor(namespace: Namespace, name: string, qemu: Program, port: Socket) {
    super();
    this.namespace = namespace;
    this.name = name;
    this.#qemu = qemu;
    this.#port = port;
  }

  /** Boots a guest whose devices are plugged into the namespace; resolves when it takes commands. */
  static async start(namespace: Namespace, options: GuestOptions = {}): Promise<Guest> {
    const { devices = ['e0'], offloads = false, mtu = 1500 } = options;
    const name = `guest-${++serial}`;
    for (const device of devices) {
      await namespace.ip('tuntap', 'add', 'dev', device, 'mode', 'tap');
      await namespace.ip('link', 'set', 'dev', device, 'mtu', String(mtu), 'up');
    }
    const socket = `${makeDirectory(name)}/port`;
    const qemu = namespace.start(qemuCommand(name, socket, devices, offloads));
    const port = await connectTo(socket, qemu);
    const guest = new Guest(namespace, name, qemu, port);
    await guest.#ready();
    for (const index of devices.keys()) await guest.ip('link', 'set', `eth${index}`, 'mtu', String(mtu), 'up');
    return guest;
  }

  override attempt(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
    const { seconds = 20, env = {}, input = '' } = options;
    const variables = Object.entries(env).map(([key, value]) => `${key}=${quote(value)} `);
    const feeder = input === '' ? '' : `echo ${Buffer.from(input).toString('base64')} | base64 -d | `;
    return this.#command(`${feeder}${variables.join('')}${argv.map(quote).join(' ')}`, seconds);
  }

  /** The octets of a file of the guest, a capture for one. */
  async read(path: string): Promise<Buffer> {
    return Buffer.from(await this.run(['base64', path]), 'base64');
  }

  /** Resolves when the emulator has ended. */
  async stop(): Promise<void> {
    await this.#qemu.stop();
    this.#port.destroy();
  }

  async #ready(): Promise<void> {
    let isReady = false;
    const lines = createInterface(this.#port);
    lines.on('line', (line) => {
      if (line === 'ready') isReady = true;
      else this.#answered(line);
    });
    await waitFor(
      `${this.name} boots`,
      BOOT_SECONDS,
      () => {
        if (!this.#qemu.isRunning) throw new Error(`QEMU ended\n${this.#qemu.output}`);
        return isReady;
      },
      () => this.#qemu.output,
    );
  }

  #answered(line: string): void {
    const [number = '', status, stdout = '', stderr = ''] = line.split(' ');
    const text = (octets: string): string => Buffer.from(octets, 'base64').toString();
    this.#waiting.get(number)?.({ status: Number(status), stdout: text(stdout), stderr: text(stderr) });
    this.#waiting.delete(number);
  }

  #command(text: string, seconds: number): Promise<Outcome> {
    const number = String(++this.#commands);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(number);
        reject(new Error(`${this.name}: ${text}: not done within ${seconds * 3} s\n${this.#qemu.output}`));
      }, seconds * 3000);
      this.#waiting.set(number, (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
      this.#port.write(`${number} ${Buffer.from(text).toString('base64')}\n`);
    });
  }
}

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

function qemuCommand(name: string, socket: string, devices: readonly string[], offloads: boolean): string[] {
  const directory = process.env.WIDEPLANE_GUEST;
  if (directory === undefined || !existsSync(`${directory}/kernel`)) {
    throw new Error(`no image of the guest in ${directory}: ./scripts/test makes it, unless called with --no-setup`);
  }
  const network = devices.flatMap((device, index) => {
    const tap = `tap,id=n${index},ifname=${device},script=no,downscript=no,vnet_hdr=${offloads ? 'on' : 'off'}`;
    const mac = `52:54:00:00:${String(serial).padStart(2, '0')}:${String(index).padStart(2, '0')}`;
    return ['-netdev', tap, '-device', `virtio-net-pci,netdev=n${index},mac=${mac},romfile=`];
  });
  return [
    ...['qemu-system-x86_64', '-name', name, '-machine', 'pc', '-cpu', 'max', '-m', String(MEMORY_MIB)],
    // Without a limit the translated code alone grows to a gigabyte.
    ...['-accel', 'tcg,tb-size=64', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-kernel', `${directory}/kernel`, '-initrd', `${directory}/initramfs`],
    ...['-append', 'console=ttyS0 quiet panic=1 mitigations=off', '-serial', 'stdio'],
    ...network,
    // It waits for us, so that the guest never writes to a port that nobody reads.
    ...['-chardev', `socket,id=port,path=${socket},server=on,wait=on`],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=port'],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
  ];
}

async function connectTo(path: string, qemu: Program): Promise<Socket> {
  const attemptOnce = (): Promise<Socket | undefined> =>
    new Promise((resolve) => {
      const socket = connect(path, () => resolve(socket.setEncoding('utf8')));
      socket.once('error', () => resolve(undefined));
    });
  const port = await waitFor('QEMU listens', 5, attemptOnce, () => qemu.output);
  // What still runs at the end of a test file shall not keep the file from ending.
  return port.unref();
}
