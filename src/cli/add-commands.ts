// What can be typed to join other machines: `bigip-add` and `gtm-add`, without the code that does it.

import type { Command, Option } from 'commander';
import type { BigipAddFlags } from './bigip-add.ts';
import type { GtmAddFlags } from './gtm-add.ts';

export function addJoiningCommands(program: Command, stateOption: () => Option): void {
  withRemoteOptions(
    program
      .command('bigip-add')
      .description('exchange certificates with BIG-IPs or other wideplanes by ssh, so that iQuery connects')
      .argument('[hosts...]', '[user@]host of each; default: the servers of product bigip in the configuration')
      .option('--both', 'a BIG-IP dials this machine as well: it is a DNS system (two wideplanes always do)')
      .option('--print', 'change nothing: print what is to be typed to do it by hand'),
    stateOption,
  )
    .addHelpText(
      'after',
      `
What was done already is left as it is: it can be run again at any time.

Examples:
  wideplane bigip-add root@192.0.2.10
  wideplane bigip-add                      all servers of the configuration, as the current user
  wideplane bigip-add --print 192.0.2.10   what to type where there is no ssh`,
    )
    .action(async (hosts: string[], options: Partial<BigipAddFlags> & { state: string }) => {
      const { bigipAdd } = await import('./bigip-add.ts');
      const { both = false, ignoreClock = false, print = false } = options;
      process.exitCode = await bigipAdd(hosts, { ...options, both, ignoreClock, print });
    });

  withRemoteOptions(
    program
      .command('gtm-add')
      .description('join the synchronisation group of another wideplane: run here, on the newcomer')
      .argument('<host>', '[user@]host of a member')
      .option('--address <ip>', 'where iQuery reaches the member; default: what its name means')
      .option('-y, --yes', 'do not ask'),
    stateOption,
  )
    .addHelpText(
      'after',
      `
The newcomer has to be a gtm server of the group already; its own wide IPs, pools and servers are replaced by the group's.
What runs before is saved beside it. Run twice it changes nothing.

Example:
  wideplane gtm-add root@192.0.2.1`,
    )
    .action(async (host: string, options: Partial<GtmAddFlags> & { state: string }) => {
      const { gtmAdd } = await import('./gtm-add.ts');
      const { ignoreClock = false, yes = false } = options;
      process.exitCode = await gtmAdd(host, { ...options, ignoreClock, yes });
    });
}

function withRemoteOptions(command: Command, stateOption: () => Option): Command {
  return command
    .option('--ignore-clock', 'go on although the clocks are more than 10 s apart')
    .option('--ssh-config <file>', 'as ssh -F')
    .option('--remote-state <dir>', 'the state directory of a wideplane there')
    .option('--remote-command <path>', 'what runs wideplane there', 'wideplane')
    .addOption(stateOption());
}
