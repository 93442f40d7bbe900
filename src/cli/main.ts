#!/usr/bin/env node
// The executable: what can be typed. Each subcommand loads its own code, so that none waits for another's.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../core/log.ts';
import { DAEMONS, type DaemonName } from '../supervise/daemon-table.ts';
import { addJoiningCommands } from './add-commands.ts';
import { addHealthCommands } from './dns-health-commands.ts';
import { addWatchCommands } from './health-commands.ts';
import { addTrustCommands } from './trust-commands.ts';

const DEFAULT_STATE = '/var/lib/wideplane';

/** How a command line ended that could not be understood, as distinct from one that failed. */
const EXIT_USAGE = 2;

type LogFlags = { logFormat: 'text' | 'json'; logLevel: LogLevel };

const stateOption = (): Option =>
  new Option('--state <dir>', 'state directory: sockets, configuration, journal').default(DEFAULT_STATE);
const configOption = (): Option =>
  new Option('--config <file>', 'configuration to load instead of the saved one (tmsh text)');
const logFormatOption = (): Option =>
  new Option('--log-format <format>', 'how log lines are written').choices(['text', 'json']).default('text');
const logLevelOption = (): Option =>
  new Option('--log-level <level>', 'the least level that is written').choices([...LOG_LEVELS]).default('info');

const program = new Command('wideplane')
  .description('A user-space data plane for Linux: tunnels, bridging and what belongs to them, configured by tmsh.')
  .showHelpAfterError('(wideplane --help, or wideplane SUBCOMMAND --help, says what can be typed)')
  .helpOption('-h, --help', 'this help')
  .helpCommand('help [command]', 'the help of a subcommand')
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  wideplane up --config lab.conf --state /tmp/lab   start everything in the foreground; Ctrl-C stops it
  wideplane run configd --state /tmp/lab            one daemon alone, for instance in a namespace of its own
  wideplane tcpdump -i vx1                          the frames inside a tunnel
  wideplane tmsh -c 'list net'                      the configuration
  wideplane dns explain www.example.com             what is answered to a query, and why
  wideplane health list --down                      what monitors say is offline
  wideplane version                                 what is installed, and whether packet I/O can work here

The state directory is ${DEFAULT_STATE} unless --state names another.`,
  );

program
  .command('up')
  .description('start all daemons as child processes, restart one that dies, stop them in order on Ctrl-C')
  .addOption(configOption())
  .addOption(stateOption())
  .addOption(
    new Option('--only <daemons>', 'start only these, with commas between them; configd is always started').argParser(
      daemonNames,
    ),
  )
  .option('--force', 'take over even a device that carries the default route or your SSH session')
  .addOption(logFormatOption())
  .addOption(logLevelOption())
  .addHelpText(
    'after',
    `
Examples:
  wideplane up                                        the saved configuration in ${DEFAULT_STATE}
  wideplane up --config /etc/wideplane.conf           start from a file
  wideplane up --state /tmp/lab --log-format json     a second instance, its log for a machine to read
  wideplane up --only dataplaned                      tunnels and no DNS: two daemons instead of six

As root each daemon keeps only the capabilities that it needs:
${DAEMONS.map((daemon) => `  ${daemon.name.padEnd(12)}${capabilities(daemon.capabilities)}`).join('\n')}

Devices of a "net interface" with address-owner wideplane are taken over while it runs: their kernel addresses are
removed and the kernel stops reading their frames. All of it is put back at the end, also after kill -9.`,
  )
  .action(async (options: LogFlags & { config?: string; state: string; force?: boolean; only?: DaemonName[] }) => {
    const { up } = await import('./up.ts');
    process.exitCode = await up({
      ...options,
      force: options.force ?? false,
    });
  });

program
  .command('run')
  .description('run one daemon alone, in the foreground')
  .argument('<daemon>', DAEMONS.map((daemon) => daemon.name).join(' | '), daemonName)
  .addOption(configOption())
  .addOption(stateOption())
  .addOption(logFormatOption())
  .addOption(logLevelOption())
  .addHelpText(
    'after',
    `
Daemons:
${DAEMONS.map((daemon) => `  ${daemon.name.padEnd(12)}${daemon.help}`).join('\n')}

Examples:
  wideplane run configd --config lab.conf --state /tmp/lab
  ip netns exec west wideplane run dataplaned --state /tmp/lab

A daemon alone keeps the privileges that it was started with.`,
  )
  .action(async (daemon: DaemonName, options: LogFlags & { config?: string; state: string }) => {
    const { run } = await import('./run.ts');
    process.exitCode = await run({ ...options, daemon });
  });

program
  .command('tcpdump')
  .description('show or save the frames that pass an interface, VLAN or tunnel, inner frames included')
  .option('-i, --interface <name>', 'interface, VLAN, VLAN group or tunnel; may be given more than once', collect)
  .option('--dropped', 'only what was dropped there, with the reason; without -i: everywhere')
  .option('-w, --write <file>', 'write pcapng to a file, or to standard output with -, instead of lines')
  .option('-c, --count <frames>', 'end after so many frames', positive)
  .option('-s, --snaplen <octets>', 'octets of each frame that are kept', positive, 65535)
  .addOption(stateOption())
  .addHelpText(
    'after',
    `
Examples:
  wideplane tcpdump -i vx1                            what passes the tunnel, inner frames
  wideplane tcpdump --dropped                         every dropped frame, and why
  wideplane tcpdump -i wan -w - | wireshark -k -i -   live in Wireshark
  wideplane tcpdump -i 1.1 -c 100 -w lab.pcapng`,
  )
  .action(
    async (options: {
      interface?: string[];
      dropped?: boolean;
      write?: string;
      count?: number;
      snaplen: number;
      state: string;
    }) => {
      const { tcpdump } = await import('./tcpdump.ts');
      const { interface: points = [], dropped = false, write: file, count, snaplen, state } = options;
      process.exitCode = await tcpdump({
        points,
        dropped,
        file,
        count,
        snaplen,
        state,
      });
    },
  );

program
  .command('tmsh')
  .description('configure and look: commands in the language of tmsh')
  .addOption(stateOption())
  .argument('[command...]', 'run this command and end')
  .option('-c, --command <command>', 'run this command and end; may be given several times', collect, [])
  .option('-q, --quiet', 'ask nothing: long output does not stop after each page')
  .addHelpText(
    'after',
    `
Without a command, they are read from standard input, one a line. On a terminal there is a prompt: Tab completes, a second
Tab lists what fits, ? says what may come next, Ctrl-C gives up a line or a command, quit or Ctrl-D ends.

Examples:
  wideplane tmsh -c 'show net tunnels tunnel'
  wideplane tmsh -c 'create net vlan inside { interfaces { 1.2 { untagged } } }' -c 'save sys config'
  wideplane tmsh --state /tmp/lab < changes.tmsh`,
  )
  .action(async (words: string[], options: { state: string; command: string[]; quiet?: boolean }) => {
    const { tmsh } = await import('./tmsh.ts');
    const commands = words.length === 0 ? options.command : [...options.command, words.join(' ')];
    process.exitCode = await tmsh({
      state: options.state,
      commands,
      quiet: options.quiet ?? false,
    });
  });

const dns = program
  .command('dns')
  .description('what DNS listeners answer and why, and the health of what wide IPs answer');

dns
  .command('explain')
  .description('which source answers a question, by which rule of which zone, and why not another')
  .argument('<name>', 'the name that is asked for')
  .argument('[type]', 'the type of records', 'A')
  .option('--from <address>', 'as if the query came from there')
  .option('--subnet <prefix>', 'as if it were asked for clients of this network (EDNS client subnet)')
  .option('--listener <name>', 'as if it came to this listener; default the first')
  .addOption(stateOption())
  .addHelpText(
    'after',
    `
Examples:
  wideplane dns explain www.example.com
  wideplane dns explain example.com MX --from 192.0.2.7
  wideplane dns explain shop.example.com A --from 192.0.2.7 --subnet 203.0.113.0/24`,
  )
  .action(
    async (
      name: string,
      type: string,
      { state, ...rest }: { state: string; from?: string; subnet?: string; listener?: string },
    ) => {
      const { explainDns } = await import('./dns.ts');
      process.exitCode = await explainDns(state, { name, type, ...rest });
    },
  );

dns
  .command('log')
  .description('queries as they come, and what became of them; costs nothing when nobody looks')
  .option('-c, --count <queries>', 'end after so many', positive, Infinity)
  .addOption(stateOption())
  .addHelpText('after', '\nExample:\n  wideplane dns log -c 10')
  .action(async (options: { count: number; state: string }) => {
    const { logDns } = await import('./dns.ts');
    process.exitCode = await logDns(options.state, options.count);
  });

addHealthCommands(dns, stateOption);
addWatchCommands(program, stateOption);
addJoiningCommands(program, stateOption);
addTrustCommands(program, stateOption);

program
  .command('iqdump')
  .description('what a machine says over iQuery, as it comes, until Ctrl-C')
  .argument('<host>', 'its name or address')
  .argument('[syncgroup]', 'the synchronization group to subscribe to')
  .option('-s, --syncgroup <name>', 'the same')
  .option('-p, --port <port>', 'the port that it serves iQuery on', positive, 4353)
  .addOption(stateOption())
  .addHelpText(
    'after',
    `
It connects with the certificate of this machine, in the state directory. Of a BIG-IP its greeting is shown, and what it sends.

Examples:
  wideplane iqdump 192.0.2.2
  wideplane iqdump 192.0.2.2 europe
  wideplane iqdump -s europe --port 14353 ::1 --state /tmp/lab`,
  )
  .action(
    async (
      host: string,
      group: string | undefined,
      { syncgroup, port, state }: { syncgroup?: string; port: number; state: string },
    ) => {
      const { iqdump } = await import('./iqdump.ts');
      process.exitCode = await iqdump({ host, syncGroup: syncgroup ?? group ?? 'default', port, state });
    },
  );

program
  .command('restore')
  .description('put back what a killed "wideplane up" changed on devices (up does it by itself at its end)')
  .addOption(stateOption())
  .addOption(logFormatOption())
  .addOption(logLevelOption())
  .addOption(new Option('--lock-held', 'the caller holds the lock of the state directory').hideHelp())
  .addHelpText('after', '\nExample:\n  wideplane restore --state /tmp/lab')
  .action(async (options: LogFlags & { state: string; lockHeld?: boolean }) => {
    const { restore } = await import('./restore.ts');
    process.exitCode = await restore({
      ...options,
      lockHeld: options.lockHeld ?? false,
    });
  });

program
  .command('version')
  .description('versions of wideplane, Node.js and the kernel, and whether the native addon loads')
  .option('--json', 'as one JSON object')
  .addHelpText('after', '\nExample:\n  wideplane version --json')
  .action(async (options: { json?: boolean }) => {
    const { version } = await import('./version.ts');
    process.exitCode = version({ json: options.json ?? false });
  });

for (const command of program.commands) command.copyInheritedSettings(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}

function daemonName(value: string): DaemonName {
  const found = DAEMONS.find((daemon) => daemon.name === value);
  if (found) return found.name;
  throw new InvalidArgumentError(`There is no such daemon; use ${DAEMONS.map((daemon) => daemon.name).join(' or ')}.`);
}

function daemonNames(value: string): DaemonName[] {
  return value.split(',').map((name) => daemonName(name.trim()));
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

function positive(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function capabilities(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `CAP_${name.toUpperCase()}`).join(', ');
}
