// What can be typed of what monitors find: `wideplane health`, without the code that does it.

import type { Command, Option } from 'commander';
import { EXPLAINED_KINDS } from '../ipc/healthd-schema.ts';

type State = { readonly state: string };

export function addWatchCommands(program: Command, stateOption: () => Option): void {
  const health = program
    .command('health')
    .description('what monitors find: who is up, who is down, and why')
    .addHelpText(
      'after',
      `
Examples:
  wideplane health list --down              what monitors say is offline
  wideplane health explain web:http         the last probes of a virtual server, what was sent and what came back
  wideplane health explain www --kind 'ltm pool'
  wideplane health resume 10.1.1.5:80       what waits because of manual-resume may come back`,
    );
  const kindHelp = `only things of this type: ${EXPLAINED_KINDS.join(', ')}`;
  health
    .command('explain')
    .description('why it is as it is: the rule that decided, since when, and the last probes of each of its monitors')
    .argument('<name>', 'a server, SERVER:VS, a pool, a pool member, a node or a virtual server')
    .option('--kind <type>', kindHelp)
    .addOption(stateOption())
    .addHelpText(
      'after',
      `
Examples:
  wideplane health explain web                  a server and its virtual servers
  wideplane health explain web:http             a virtual server
  wideplane health explain www --kind 'gtm pool a'
  wideplane health explain 10.1.1.5:80          a pool member of whichever pools`,
    )
    .action(async (name: string, { state, kind }: State & { kind?: string }) => {
      const { explainHealth } = await import('./health.ts');
      process.exitCode = await explainHealth(state, name, kind);
    });
  health
    .command('list')
    .description('all that is watched, with what monitors say of it')
    .option('--down', 'only what is offline')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane health list --down')
    .action(async ({ state, down }: State & { down?: boolean }) => {
      const { listWatches } = await import('./health.ts');
      process.exitCode = await listWatches(state, down ?? false);
    });
  health
    .command('resume')
    .description(
      'have what went down in a monitor with manual-resume come back; its probes have to be answered well again',
    )
    .argument('<name>', 'as for explain')
    .option('--kind <type>', kindHelp)
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  wideplane health resume 10.1.1.5:80')
    .action(async (name: string, { state, kind }: State & { kind?: string }) => {
      const { resumeHealth } = await import('./health.ts');
      process.exitCode = await resumeHealth(state, name, kind);
    });
}
