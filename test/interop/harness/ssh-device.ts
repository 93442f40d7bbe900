// A machine that is reached by a real OpenSSH server and has the files of a BIG-IP, or those that the test gives it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectory, type Namespace } from './namespace.ts';
import { type Program, run } from './program.ts';

const SCRIPT = fileURLToPath(new URL('../../../../test/interop/harness/programs/device-sshd.sh', import.meta.url));

/** As a BIG-IP has it: its name says nothing. */
const SUBJECT = '/CN=localhost.localdomain/O=MyCompany';
const VERSION = '16.1.3.3';

/** The key of who types `ssh`. */
export type SshClient = { readonly directory: string; readonly publicKey: string; readonly config: string };

export async function makeSshClient(): Promise<SshClient> {
  const directory = makeDirectory('ssh');
  const key = join(directory, 'key');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const config = join(directory, 'config');
  writeFileSync(
    config,
    `Host *
  User root
  IdentityFile ${key}
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
`,
  );
  return { directory, publicKey: `${key}.pub`, config };
}

export class SshDevice {
  /** What the machine has as /config. */
  readonly config: string;
  /** A directory whose programs come before all others there. */
  readonly programs: string;
  readonly #program: Program;

  private constructor(config: string, lab: string, program: Program) {
    this.config = config;
    this.programs = join(lab, 'bin');
    this.#program = program;
  }

  /** Starts one in a namespace; `isDevice`: it has a device's certificate, and says its version. `visible`: more directories of the host. */
  static async start(
    namespace: Namespace,
    client: SshClient,
    { isDevice = true, visible = [] }: { isDevice?: boolean; visible?: readonly string[] } = {},
  ): Promise<SshDevice> {
    const [root, config, lab] = [makeDirectory('root'), makeDirectory('config'), makeDirectory('lab')];
    mkdirSync(join(lab, 'bin'));
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(lab, 'host_key')]);
    await run(['cp', client.publicKey, join(lab, 'authorized_keys')]);
    writeFileSync(
      join(lab, 'sshd_config'),
      `HostKey /lab/host_key
AuthorizedKeysFile /lab/authorized_keys
StrictModes no
UsePAM no
SetEnv PATH=/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PermitRootLogin prohibit-password
PidFile none
`,
    );
    if (isDevice) {
      writeFileSync(join(lab, 'VERSION'), `Product: BIG-IP\nVersion: ${VERSION}\nBuild: 0.0.3\n`);
      for (const path of ['httpd/conf/ssl.crt', 'httpd/conf/ssl.key', 'gtm', 'big3d']) {
        mkdirSync(join(config, path), { recursive: true });
      }
      const certificate = join(config, 'httpd/conf/ssl.crt/server.crt');
      const key = join(config, 'httpd/conf/ssl.key/server.key');
      const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', SUBJECT];
      await run(['openssl', ...request, '-keyout', key, '-out', certificate]);
      for (const bundle of ['gtm/server.crt', 'big3d/client.crt']) await run(['cp', certificate, join(config, bundle)]);
    }
    const program = namespace.start(['unshare', '-m', SCRIPT, root, config, lab, ...visible]);
    await program.expect(/Server listening on 0\.0\.0\.0 port 22/, 10);
    return new SshDevice(config, lab, program);
  }

  /** What sshd has written. */
  get log(): string {
    return this.#program.output;
  }

  stop(): Promise<number> {
    return this.#program.stop('SIGTERM', 10);
  }
}
