// What can be typed of trust between machines: `wideplane trust`, without the code that does it.

import { hostname } from 'node:os';
import type { Command, Option } from 'commander';

type State = { readonly state: string };
type Bundles = { readonly server?: boolean; readonly client?: boolean };

export function addTrustCommands(program: Command, stateOption: () => Option): void {
  const trust = program
    .command('trust')
    .description('the certificate of this machine, and the machines that it exchanges iQuery with')
    .addHelpText(
      'after',
      `
Two machines trust each other when each has imported the certificate of the other. What is changed counts at once.

Examples:
  wideplane trust show                                        certificates, and what is wrong with them
  wideplane trust export | ssh east wideplane trust import -  have the machine east trust this one
  ssh east wideplane trust export | wideplane trust import -  and this one that
  wideplane trust rotate                                      a new certificate here, without losing anybody`,
    );
  trust
    .command('show')
    .description('certificates of this machine and of the bundles, how long they are valid, and what is wrong')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane trust show')
    .action(async ({ state }: State) => {
      const { showTrust } = await import('./trust-show.ts');
      process.exitCode = await showTrust(state);
    });
  trust
    .command('export')
    .description("print this machine's certificate, for others to import; made first when there is none")
    .option('--staged', 'the one that "renew --stage" has made')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane trust export > west.crt')
    .action(async ({ state, staged }: State & { staged?: boolean }) => {
      const { exportCertificate } = await import('./trust.ts');
      process.exitCode = await exportCertificate(state, staged ?? false);
    });
  trust
    .command('import')
    .description('trust the certificates in a file: of peers, or of authorities that issue them')
    .argument('<file>', 'PEM or DER; - for standard input')
    .option('--server', 'only when this machine dials them (gtm/server.crt)')
    .option('--client', 'only when they dial this machine (big3d/client.crt)')
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  wideplane trust import east.crt\n  wideplane trust import --server -')
    .action(async (file: string, options: State & Bundles) => {
      const { importCertificates } = await import('./trust.ts');
      process.exitCode = await importCertificates(options.state, file, rolesOf(options));
    });
  trust
    .command('remove')
    .description('trust a certificate no longer: connections with it are closed')
    .argument('<fingerprint>', 'SHA-256, as "trust show" prints it; its first 8 digits or more')
    .option('--server', 'only when this machine dials it')
    .option('--client', 'only when it dials this machine')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane trust remove 5f3a9c0112aa74de')
    .action(async (fingerprint: string, options: State & Bundles) => {
      const { removeCertificate } = await import('./trust.ts');
      process.exitCode = await removeCertificate(options.state, fingerprint, rolesOf(options));
    });
  addOwnCommands(trust, stateOption);
}

function addOwnCommands(trust: Command, stateOption: () => Option): void {
  trust
    .command('renew')
    .description('a new key and certificate for this machine; the old one stays trusted here')
    .option('--stage', 'make it, and print it for peers to import; the old one goes on to be used')
    .option('--activate', 'use what was staged')
    .option('--hostname <name>', 'the name in it', hostname())
    .addOption(stateOption())
    .addHelpText(
      'after',
      `
Without --stage and --activate both are done at once: peers refuse this machine until they have imported the new one.

Examples:
  wideplane trust renew --stage > west.crt
  wideplane trust renew --activate`,
    )
    .action(async (options: State & { stage?: boolean; activate?: boolean; hostname: string }) => {
      const { renew } = await import('./trust-renew.ts');
      process.exitCode = await renew(options.state, options);
    });
  trust
    .command('rotate')
    .description('renew the certificate, have all peers trust the new one by ssh, and use it when all of them do')
    .argument('[hosts...]', '[user@]host of each peer; default: the servers of product bigip in the configuration')
    .option('--hostname <name>', 'the name in it', hostname())
    .option('--ssh-config <file>', 'as ssh -F')
    .option('--remote-state <dir>', 'the state directory of the peers')
    .addOption(stateOption())
    .addHelpText(
      'after',
      `
When a peer cannot be reached nothing is lost: the old certificate goes on to be used, and the same command goes on from there.

Examples:
  wideplane trust rotate
  wideplane trust rotate root@east root@north`,
    )
    .action(
      async (hosts: string[], options: State & { hostname: string; sshConfig?: string; remoteState?: string }) => {
        const { rotate } = await import('./trust-rotate.ts');
        process.exitCode = await rotate(options.state, hosts, options);
      },
    );
  trust
    .command('csr')
    .description('print a request for an authority to sign, for the key of this machine')
    .option('--new-key <file>', 'for a new key, which is written there')
    .option('--hostname <name>', 'the name in it', hostname())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  wideplane trust csr > west.csr\n  wideplane trust csr --new-key west.key > west.csr',
    )
    .action(async (options: State & { newKey?: string; hostname: string }) => {
      const { printRequest } = await import('./trust-renew.ts');
      process.exitCode = await printRequest(options.state, options);
    });
  trust
    .command('install')
    .description('use a certificate that an authority has issued; the old one stays trusted here')
    .argument('<cert>', 'PEM or DER, those of authorities in between behind it; with --pkcs12 all that is in that file')
    .option('--key <file>', 'its key, PEM; default: the one in use')
    .option('--pkcs12', 'the file is PKCS #12 and holds the key too')
    .option('--passphrase-file <file>', 'whose first line is the passphrase of the PKCS #12')
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  wideplane trust install west.crt\n  wideplane trust install west.p12 --pkcs12 --passphrase-file secret',
    )
    .action(async (file: string, options: State & { key?: string; pkcs12?: boolean; passphraseFile?: string }) => {
      const { install } = await import('./trust-renew.ts');
      process.exitCode = await install(options.state, file, options);
    });
}

function rolesOf({ server, client }: Bundles): ('server' | 'client')[] {
  return server === client ? ['server', 'client'] : server === true ? ['server'] : ['client'];
}
