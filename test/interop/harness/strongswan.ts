// strongSwan as the other gateway, with the ESP of its own process (kernel-libipsec: always behind UDP, by a TUN device), and as
// the one that makes keys: two of them agree on associations, and the log of either has the keys.
//
//   charon   an executable of our own directory, which no profile of AppArmor is about
//   swanctl  the same; --load-all makes the connection known, --initiate makes the associations

import { copyFileSync, writeFileSync } from 'node:fs';
import { makeDirectory, type Namespace } from './namespace.ts';
import type { Program } from './program.ts';
import { waitFor } from './wait.ts';

export type CharonOptions = {
  /** Addresses of the gateways; absent as remote: whoever knocks. */
  local: string;
  remote?: string;
  /** Names in the exchange; any, but each the other's. */
  name: string;
  peer: string;
  /** The networks behind them. An address of the first must be on a device of the namespace. */
  ownNetwork: string;
  farNetwork: string;
  /** Algorithms of ESP, as swanctl.conf has them: aes128gcm16, aes128-sha256. */
  esp: string;
};

/** What one end sends by: of the association that leads away from it. */
export type Keys = { spi: number; encryptKey: string; authKey?: string };

const SECRET = 'interop-psk';

/** Nothing that would show an hour later: no rekeying, and no questions whether the peer is alive. */
const connection = ({ local, remote = '%any', name, peer, ownNetwork, farNetwork, esp }: CharonOptions): string => `
connections { gateway {
  version = 2
  local_addrs = ${local}
  remote_addrs = ${remote}
  proposals = aes128-sha256-modp2048
  mobike = no
  dpd_delay = 0
  rekey_time = 0
  local {
    auth = psk
    id = ${name}.test
  }
  remote {
    auth = psk
    id = ${peer}.test
  }
  children { networks {
    mode = tunnel
    local_ts = ${ownNetwork}
    remote_ts = ${farNetwork}
    esp_proposals = ${esp}
    rekey_time = 0
  } }
} }
secrets { ike-1 { secret = "${SECRET}" } }
`;

// At level 4 the log of child associations has their keys.
const settings = (socket: string): string => `
charon-systemd {
  load = random nonce aes sha1 sha2 hmac kdf gcm gmp openssl kernel-libipsec kernel-netlink socket-default vici
  load_modular = no
  keep_alive = 1s
  retransmit_tries = 1
  plugins { vici { socket = ${socket} } }
  filelog { stderr {
    default = 1
    chd = 4
    flush_line = yes
  } }
  syslog { daemon { default = -1 } }
}
swanctl { load = random }
`;

export class Charon {
  readonly #namespace: Namespace;
  readonly #directory: string;
  readonly #program: Program;

  private constructor(namespace: Namespace, options: CharonOptions) {
    this.#namespace = namespace;
    this.#directory = makeDirectory('charon');
    copyFileSync('/usr/sbin/charon-systemd', `${this.#directory}/charon`);
    copyFileSync('/usr/sbin/swanctl', `${this.#directory}/swanctl`);
    writeFileSync(`${this.#directory}/strongswan.conf`, settings(this.#socket));
    writeFileSync(`${this.#directory}/swanctl.conf`, connection(options));
    this.#program = namespace.start([`${this.#directory}/charon`], { env: this.#environment() });
  }

  /** Starts one that knows the connection and waits for the other end to speak, or for `initiate`. */
  static async start(namespace: Namespace, options: CharonOptions): Promise<Charon> {
    const charon = new Charon(namespace, options);
    await charon.#program.expect(/spawning \d+ worker threads/, 5);
    await charon.control('--load-all', '--file', `${charon.#directory}/swanctl.conf`);
    return charon;
  }

  get log(): string {
    return this.#program.output;
  }

  /** Runs swanctl against this instance. */
  control(...args: string[]): Promise<string> {
    const argv = [`${this.#directory}/swanctl`, ...args, '--uri', this.#socket];
    return this.#namespace.run(argv, { env: this.#environment() });
  }

  /** Makes the associations with the other end; resolves to what this end sends by, and what the other does. */
  async initiate(): Promise<{ own: Keys; far: Keys }> {
    await this.control('--initiate', '--child', 'networks');
    await waitFor('the associations are in the log', 5, () => this.log.includes('INSTALLING => INSTALLED'));
    const keysOf = (role: 'initiator' | 'responder', way: 'inbound' | 'outbound'): Keys => {
      const authKey = readKey(this.log, `integrity ${role}`);
      return {
        spi: Number(new RegExp(`adding ${way} ESP SA\\n.*SPI (0x[0-9a-f]+)`).exec(this.log)![1]),
        encryptKey: readKey(this.log, `encryption ${role}`)!,
        ...(authKey === undefined ? {} : { authKey }),
      };
    };
    return { own: keysOf('initiator', 'outbound'), far: keysOf('responder', 'inbound') };
  }

  /** Ends it so that the other end hears nothing of it. */
  kill(): Promise<number> {
    return this.#program.stop('SIGKILL');
  }

  stop(): Promise<number> {
    return this.#program.stop();
  }

  get #socket(): string {
    return `unix://${this.#directory}/vici`;
  }

  #environment(): Record<string, string> {
    return { STRONGSWAN_CONF: `${this.#directory}/strongswan.conf`, SWANCTL_DIR: this.#directory };
  }
}

/** A key of the log, which has it as lines like `   0: 4F 29 AC 20 ...  O). ...`, 16 octets each; undefined: there is none. */
function readKey(log: string, what: string): string | undefined {
  const found = new RegExp(`${what} key => (\\d+) bytes.*\\n((?:.*\\[CHD\\] +\\d+: .*\\n)+)`).exec(log);
  if (found === null) return undefined;
  const [, octets, dump] = found as unknown as [string, string, string];
  const digits = dump
    .trimEnd()
    .split('\n')
    .map((line) => /\d+: ((?:[0-9A-F]{2} )+)/.exec(line)![1]!.replaceAll(' ', ''))
    .join('');
  if (digits.length !== 2 * Number(octets))
    throw new Error(`${what} key: ${octets} octets, read as ${digits}\n${dump}`);
  return `0x${digits.toLowerCase()}`;
}
