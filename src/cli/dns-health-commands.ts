// What can be typed of health: the commands below `wideplane dns`, without the code that does them.

import { type Command, InvalidArgumentError, type Option } from 'commander';
import type { HealthSet } from '../ipc/health-schema.ts';
import { HEALTH_OPTIONS, HealthWordError, PATH_WORDS } from './health-words.ts';

type State = { readonly state: string };

const NAMED = 'the server, or a virtual server behind a colon; TYPE POOL SERVER:VS is a member of a pool';

export function addHealthCommands(dns: Command, stateOption: () => Option): void {
  const health = dns
    .command('health')
    .description('what is known of the health and load of servers; set, clear: by hand, over what healthd measures')
    .addOption(stateOption())
    .action(async ({ state }: State) => {
      const { listHealth } = await import('./dns-health.ts');
      process.exitCode = await listHealth(state);
    });
  addSet(health, stateOption);
  health
    .command('clear')
    .description(
      'forget what was said by hand of a server itself, of a virtual server or of a member; what is measured shows',
    )
    .argument('<server[:vs]...>', NAMED)
    .addOption(stateOption())
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { changeHealth } = await import('./dns-health.ts');
      process.exitCode = await changeHealth(stateOf(command), 'health', { kind: 'clear', name: words.join(' ') });
    });
  addPaths(dns, stateOption);
  dns
    .command('resume')
    .description('have a member answered again that went offline in a pool with manual-resume')
    .argument('<type>', 'the type of the pool: a, aaaa, …')
    .argument('<pool>', 'the pool')
    .argument('<member>', 'the member, as SERVER:VS or as a name')
    .addOption(stateOption())
    .action(async (type: string, pool: string, member: string, { state }: State) => {
      const { changeHealth } = await import('./dns-health.ts');
      process.exitCode = await changeHealth(state, 'resume', { kind: 'resume', type, pool, member });
    });
}

/** `--state` may stand before the subcommand as well as behind it. */
const stateOf = (command: Command): string => command.optsWithGlobals<State>().state;

function addSet(health: Command, stateOption: () => Option): void {
  const set = health
    .command('set')
    .description('say how a server, a virtual server or a member is; what is not said stays as it is known')
    .argument('[server[:vs]...]', NAMED)
    .option('--from-file <file>', 'a change a line, as this command has it: SERVER[:VS] OPTIONS; - is standard input');
  for (const [name, { value, help, read }] of Object.entries(HEALTH_OPTIONS)) {
    set.option(`--${name} <${value}>`, help, parser(read));
  }
  set
    .addOption(stateOption())
    .addHelpText(
      'after',
      `
Examples:
  wideplane dns health set web:http --status offline --reason "no power"
  wideplane dns health set web --cpu 95
  wideplane dns health set a pool1 web:http --status available
  generate-changes | wideplane dns health set --from-file -`,
    )
    .action(async (words: readonly string[], options: Record<string, string | number>, command: Command) => {
      const { changeHealth, changeHealthFrom } = await import('./dns-health.ts');
      const state = stateOf(command);
      const { fromFile } = options;
      const said = saidIn(options);
      const name = words.length === 0 ? undefined : words.join(' ');
      if ((name === undefined) === (fromFile === undefined)) command.error('name a server, or a file with --from-file');
      if (fromFile !== undefined && Object.keys(said).length > 0) command.error('lines of the file have the options');
      process.exitCode =
        name === undefined
          ? await changeHealthFrom(state, String(fromFile))
          : await changeHealth(state, 'health', { kind: 'set', name, ...said });
    });
}

function saidIn(options: Record<string, string | number>): Omit<HealthSet, 'kind' | 'name'> {
  const said = Object.entries(HEALTH_OPTIONS).flatMap(([name, { key }]) => {
    const value = options[name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(said) as Omit<HealthSet, 'kind' | 'name'>;
}

type PathOptions = State & { rtt?: number; hops?: number; completion?: number; ttl?: number };

function addPaths(dns: Command, stateOption: () => Option): void {
  const path = dns.command('path').description('what is known of the way from a client to a datacenter');
  path
    .command('set')
    .description('say how it is; what is not said stays as it is known')
    .argument('<client>', "the address of a client's resolver")
    .argument('<datacenter>', 'the datacenter')
    .option('--rtt <ms>', 'round-trip time in milliseconds', parser(PATH_WORDS.milliseconds))
    .option('--hops <n>', 'routers on the way', parser(PATH_WORDS.hops))
    .option('--completion <percent>', 'packets that are answered', parser(PATH_WORDS.percent))
    .option(
      '--ttl <s>',
      'seconds for which it is good; default the path-ttl of the settings',
      parser(PATH_WORDS.seconds),
    )
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane dns path set 192.0.2.53 east --rtt 12.5 --hops 7')
    .action(async (client: string, datacenter: string, { state, rtt, hops, completion, ttl }: PathOptions) => {
      const { changeHealth } = await import('./dns-health.ts');
      const numbers = { roundTripTime: rtt, hops, completionRate: completion, ttl };
      process.exitCode = await changeHealth(state, 'path', { kind: 'set-path', client, datacenter, ...numbers });
    });
  path
    .command('clear')
    .description('forget it')
    .argument('<client>', "the address of a client's resolver")
    .argument('<datacenter>', 'the datacenter')
    .addOption(stateOption())
    .action(async (client: string, datacenter: string, { state }: State) => {
      const { changeHealth } = await import('./dns-health.ts');
      process.exitCode = await changeHealth(state, 'path', { kind: 'clear-path', client, datacenter });
    });
}

/** A reader of words as commander calls one. */
function parser<T>(read: (word: string) => T): (word: string) => T {
  return (word) => {
    try {
      return read(word);
    } catch (error) {
      throw error instanceof HealthWordError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
