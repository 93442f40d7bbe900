// Everything that a daemon may say with a stable code: one table of code, level and meaning.
//
// A line of the log carries its code in the field `code`, so that scripts can search for it whatever the sentence says.

import type { Log, LogFields, LogLevel } from './log.ts';

type LogEntry = { readonly level: LogLevel; readonly help: string };

function entries<const T extends Record<string, LogEntry>>(table: T): T {
  return table;
}

export const LOG_CODES = entries({
  // Every daemon
  'daemon-started': {
    level: 'info',
    help: 'the daemon is ready; the message says what it listens on',
  },
  'daemon-stopping': { level: 'info', help: 'the daemon was asked to stop' },
  'daemon-failed': {
    level: 'error',
    help: 'the daemon cannot go on and exits',
  },
  'settings-refused': {
    level: 'error',
    help: 'an option or a file that the daemon was started with cannot be used',
  },
  'memory-unprotected': {
    level: 'warn',
    help: 'a core file of the daemon may hold keys, or another process of its account may read them; the message says why',
  },

  // Configuration
  'config-loaded': {
    level: 'info',
    help: 'a configuration was read, validated and made the running one',
  },
  'config-recovered': {
    level: 'warn',
    help: 'configd was killed: it goes on with the configuration that ran, unsaved changes included',
  },
  'config-refused': {
    level: 'error',
    help: 'a configuration has errors and was not applied',
  },
  'config-warning': {
    level: 'warn',
    help: 'the configuration is valid, but not what was probably meant',
  },
  'config-kept-unknown': {
    level: 'warn',
    help: 'the text holds an object or property that this version does not know: it is kept and saved, without effect',
  },
  'config-saved': {
    level: 'info',
    help: 'the running configuration was written to its file',
  },
  'config-save-failed': {
    level: 'error',
    help: 'the running configuration could not be written; the old file is intact',
  },
  'store-cleaned': {
    level: 'info',
    help: 'a file that was being written when configd was killed has been removed',
  },
  'history-damaged': {
    level: 'warn',
    help: 'the kept versions of the configuration cannot be read or removed as they should',
  },
  'config-audit': {
    level: 'info',
    help: 'a command changed, saved or loaded the configuration',
  },
  'config-applied': {
    level: 'debug',
    help: 'a daemon runs a generation of the configuration',
  },
  'config-apply-failed': {
    level: 'error',
    help: 'a daemon could not apply an object; the message has the reason',
  },

  // Data plane
  'addon-absent': {
    level: 'warn',
    help: 'the addon cannot be loaded, so few adapters work; the message says why',
  },
  'port-open': {
    level: 'info',
    help: 'a device or socket is open and frames flow through it',
  },
  'port-limited': {
    level: 'warn',
    help: 'a port is open, but something about its device or file cannot work with it',
  },
  'port-waiting': {
    level: 'warn',
    help: 'a device, address or link is missing; the port comes back with it',
  },
  'port-failed': {
    level: 'error',
    help: 'a device or socket could not be opened; it is tried again',
  },
  'loop-found': {
    level: 'warn',
    help: 'a MAC moves to and fro between two members: there is a loop behind them, and flooding between them is limited',
  },
  'address-conflict': {
    level: 'warn',
    help: 'another station has the address of a self IP: it was heard by ARP or neighbour discovery',
  },

  'sequence-store-failed': {
    level: 'error',
    help: 'sequence numbers of security associations cannot be reserved on disk: they stop sending when theirs run out',
  },
  'crypto-ready': {
    level: 'info',
    help: 'which library seals and opens the packets of IPsec',
  },

  // DNS
  'listener-open': {
    level: 'info',
    help: 'a DNS listener takes queries; the message says where',
  },
  'listener-failed': {
    level: 'error',
    help: 'a DNS listener cannot have its address; the message says why, and it is tried again',
  },
  'ring-open': {
    level: 'info',
    help: 'queries for a DNS listener are taken straight from a device',
  },
  'ring-failed': {
    level: 'error',
    help: 'the ring of a DNS listener cannot be had, or was lost: its socket answers, and the ring is tried again',
  },
  'backend-failed': {
    level: 'error',
    help: 'the BIND that queries are handed to cannot be reached from here at all',
  },
  'gtm-decision': {
    level: 'info',
    help: 'why a wide IP answered as it did (load-balancing-decision-log-verbosity)',
  },
  'gtm-decisions-lost': {
    level: 'warn',
    help: 'more decisions of wide IPs came in a second than are logged',
  },
  'geoip-loaded': {
    level: 'info',
    help: 'a database of places was read, and topology goes by it',
  },
  'geoip-refused': {
    level: 'error',
    help: 'a database of places cannot be used; topology goes by what else there is',
  },
  'zone-loaded': { level: 'info', help: 'a zone was read and is served' },
  'zone-refused': {
    level: 'error',
    help: 'a zone has errors or cannot be read, and is served as it was before, if it was; each message is one error',
  },
  'zone-warning': {
    level: 'warn',
    help: 'a zone is served, but not what was probably meant',
  },
  'zone-unwritten': {
    level: 'error',
    help: 'a zone is served, but its file cannot be written: its serial may go back when the daemon starts again',
  },

  'monitor-status': {
    level: 'info',
    help: 'monitors have found that a server, virtual server, member or node is another than before; the message says why',
  },
  'monitor-statuses-summed': {
    level: 'info',
    help: 'more changed within a second than is logged one by one; the message counts the others',
  },
  'virtual-location': {
    level: 'info',
    help: 'a pool member that a monitor of type virtual-location looks for was found, or has moved',
  },
  'verdicts-damaged': {
    level: 'warn',
    help: 'what monitors found before the restart cannot be read from its file, which is kept aside: nothing is known at first',
  },
  'verdicts-unwritten': {
    level: 'error',
    help: 'what monitors have found cannot be written to its file: after a restart it has to be found again',
  },
  'health-damaged': {
    level: 'error',
    help: 'what was known of health and load cannot be read from its file, which is kept aside: nothing is known at first',
  },
  'health-unwritten': {
    level: 'error',
    help: 'what is known of health and load cannot be written to its file: it is lost when the daemon ends',
  },
  'health-stale': {
    level: 'warn',
    help: 'nothing has been heard of healthd for longer than what it measured is good for: its last word still counts',
  },
  'health-fresh': { level: 'info', help: 'healthd is heard of again, and what counts is what it measures' },

  // iQuery
  'mesh-stale': {
    level: 'warn',
    help: 'nothing has been heard of iqueryd for longer than what it said is good for: its last word on other machines still counts',
  },
  'mesh-fresh': { level: 'info', help: 'iqueryd is heard of again, and what counts is what it says of other machines' },
  'local-stale': {
    level: 'warn',
    help: 'nothing has been heard of healthd for a while: other machines are told what it said last, marked as stale',
  },
  'local-fresh': { level: 'info', help: 'healthd is heard of again, and other machines are told what it says' },
  'mesh-records': {
    level: 'warn',
    help: 'a machine says more over iQuery than is kept of one: the message says of what',
  },
  'icontrol-read': { level: 'info', help: "a BIG-IP's state and load are read from its iControl REST" },
  'icontrol-failed': {
    level: 'warn',
    help: "a BIG-IP's iControl REST cannot be read: what it said last counts until its monitor times out; the message says why",
  },
  'iquery-listening': { level: 'info', help: 'iqueryd accepts connections; the message says where' },
  'iquery-unbound': {
    level: 'error',
    help: 'iqueryd cannot listen at an address of iqueryd.address; it is tried again',
  },
  'iquery-handshake-failed': {
    level: 'warn',
    help: 'somebody who dialled iqueryd and it could not agree on TLS; said once a minute for each address',
  },
  'iquery-crowded': {
    level: 'warn',
    help: 'somebody who dialled iqueryd was refused, because too many are there that have not shown who they are',
  },
  'iquery-discovered': {
    level: 'info',
    help: 'discovery has changed the virtual servers of a gtm server; the message says which',
  },
  'iquery-not-discovered': {
    level: 'warn',
    help: 'what discovery would change of a gtm server was refused; the message says why, and it is tried again',
  },
  'iquery-box-green': { level: 'info', help: 'an address of a gtm server is connected' },
  'iquery-box-red': {
    level: 'warn',
    help: 'an address of a gtm server is not connected any more, or could not be; the message says why',
  },
  'iquery-not-connected': {
    level: 'warn',
    help: 'an address of a gtm server is still not connected, by now for another reason',
  },
  'iquery-switched': {
    level: 'info',
    help: 'a gtm server is heard by another of its addresses, because the one before was lost',
  },
  'iquery-same-machine': {
    level: 'warn',
    help: 'two gtm servers are one machine, or a clone has the identity of another: only one of them is heard',
  },
  'iquery-subscribed': { level: 'info', help: 'a machine has subscribed to what is published here' },
  'iquery-unsubscribed': { level: 'info', help: 'a subscriber has gone; the message says why' },
  'iquery-replaced': {
    level: 'warn',
    help: 'a machine has subscribed once more, and its older connection was closed; if that goes on, two machines have one identity',
  },
  'iquery-other-grammar': {
    level: 'warn',
    help: 'a peer speaks another version of the grammar: it is connected, and nothing is exchanged',
  },
  'iquery-unknown-element': {
    level: 'info',
    help: 'a peer sends an element that is not known, or not complete; it is skipped, and mentioned once',
  },
  'iquery-clock-skew': {
    level: 'warn',
    help: 'the clocks of a peer and of this machine are more than 5 s apart',
  },
  'iquery-clock-right': { level: 'info', help: 'a clock that was wrong is right again' },
  'iquery-feature-failed': {
    level: 'error',
    help: 'a part of iqueryd failed over something that the mesh told it; the connection goes on, and it is said once',
  },
  'iquery-full': { level: 'error', help: 'more records of one kind are to be published than a peer would take' },
  'trust-identity-made': {
    level: 'info',
    help: 'iqueryd has made the certificate and key of this device, because there were none',
  },
  'trust-changed': {
    level: 'info',
    help: 'certificates that are trusted, revocation lists or the device certificate are others; the message says which came (+) and went (-)',
  },
  'trust-damaged': {
    level: 'error',
    help: 'a certificate, key, bundle or revocation list cannot be used; the message names the file, and what was read of it before counts',
  },
  'trust-expires': {
    level: 'warn',
    help: 'the device certificate, or one of a bundle, expires within 30, 14, 7, 3 days or 1 day',
  },
  'trust-expired': {
    level: 'error',
    help: 'the device certificate, or one of a bundle, has expired: said once a day',
  },
  'peer-no-certificate': { level: 'warn', help: 'an iQuery peer showed no certificate and was refused' },
  'peer-unknown': {
    level: 'warn',
    help: 'the certificate of an iQuery peer is not in the bundle, nor is an authority that issued it; it was refused',
  },
  'peer-expired': {
    level: 'warn',
    help: 'the certificate of an iQuery peer, or of its authority, has expired; it was refused',
  },
  'peer-not-yet-valid': {
    level: 'warn',
    help: 'the certificate of an iQuery peer is not valid yet, or a clock is wrong; it was refused',
  },
  'peer-revoked': { level: 'warn', help: 'the certificate of an iQuery peer was revoked; it was refused' },
  'peer-bad-usage': {
    level: 'warn',
    help: 'the certificate of an iQuery peer, or of its authority, may not be used for this; it was refused',
  },
  'peer-weak': {
    level: 'warn',
    help: 'the certificate of an iQuery peer has a short key or a broken signature (MD5, SHA-1); it was refused',
  },
  'peer-damaged': { level: 'warn', help: 'the certificate of an iQuery peer cannot be read; it was refused' },
  'load-unknown': {
    level: 'warn',
    help: 'iqueryd cannot find out how loaded this machine or its virtual servers are: others do not hear it until it can',
  },
  'mesh-metrics-stale': {
    level: 'warn',
    help: 'nothing has been heard of iqueryd for some seconds: the loads and paths that it told of last still count',
  },
  'path-resolvers-stale': {
    level: 'warn',
    help: 'nothing has been heard of dnsd for some seconds: resolvers that it told of before still count',
  },
  'path-resolvers-fresh': { level: 'info', help: 'dnsd is heard of again, and tells of resolvers' },
  'mesh-metrics-fresh': { level: 'info', help: 'iqueryd is heard of again, and tells of loads and paths' },

  // Synchronisation of a group
  'sync-taken': { level: 'info', help: 'the configuration of the group was taken from another member' },
  'sync-conflict': {
    level: 'warn',
    help: 'two members have changed the configuration without knowing of each other: the message says whose counts, and where the other is kept',
  },
  'sync-failed': {
    level: 'error',
    help: 'the configuration of the group could not be taken: nothing has changed, and it is tried again; the message says why',
  },
  'sync-forced': { level: 'info', help: 'somebody has said which configuration is that of the group' },
  'sync-undecided': {
    level: 'warn',
    help: 'two machines that have never been in the group together have different configurations: somebody has to say which is to count',
  },
  'sync-clock': {
    level: 'warn',
    help: 'the clock of another member is off by more than the tolerance: nothing is taken from it',
  },
  'sync-damaged': {
    level: 'warn',
    help: 'what was known of the group cannot be read from its file, which is kept aside: this machine joins the group anew',
  },
  'sync-unwritten': {
    level: 'error',
    help: 'what is known of the group cannot be written to its file: after a restart this machine joins the group anew',
  },
  'sync-unsaved': {
    level: 'warn',
    help: 'what came from the group is not saved by itself, because something else has changed that nobody has saved',
  },
  'zone-file-taken': { level: 'info', help: 'the file of a zone was taken from another member of the group' },
  'zone-file-conflict': {
    level: 'warn',
    help: 'the file of a zone differs from that of another member, and its serial does not: the message says which counts, and where the other is kept',
  },
  'zone-file-failed': {
    level: 'error',
    help: 'the file of a zone could not be taken from another member; the message says why',
  },

  // Metrics
  'metrics-listening': { level: 'info', help: 'metrics are served; the message says where' },
  'metrics-unbound': { level: 'error', help: 'metricsd cannot listen at metricsd.listen; it is tried again' },

  // Messages between processes
  'ipc-refused': {
    level: 'warn',
    help: 'a peer on a Unix socket sent what is no valid message; it was disconnected',
  },
  'configd-lost': {
    level: 'warn',
    help: 'configd is not reachable; the daemon goes on with the configuration it has',
  },
  'configd-found': {
    level: 'info',
    help: 'configd is reachable and has sent its configuration',
  },
  'snapshot-loaded': {
    level: 'info',
    help: 'configd is absent, so the daemon starts from its own last snapshot',
  },
  'snapshot-failed': {
    level: 'error',
    help: 'the last applied snapshot cannot be read or written',
  },
});

export type LogCode = keyof typeof LOG_CODES;

/** Writes one event at the level that the table gives its code. */
export function logEvent(log: Log, code: LogCode, message: string, fields: LogFields = {}): void {
  log[LOG_CODES[code].level](message, { ...fields, code });
}
