// What monitors say, as plain data: the objects `gtm monitor` and `ltm monitor`, resolved. Times are milliseconds.

/** The types of monitors, by their names in tmsh. */
export const MONITOR_TYPES = [
  'icmp',
  'gateway-icmp',
  'tcp',
  'tcp-half-open',
  'udp',
  'http',
  'https',
  'dns',
  'external',
  'bigip',
  'virtual-location',
] as const;
export type MonitorType = (typeof MONITOR_TYPES)[number];

/** Whose monitor it is: modules of tmsh differ in what a bad answer means. */
export type MonitorModule = 'gtm' | 'ltm';

export type Timing = {
  /** Between two probes. */
  readonly interval: number;
  /** Without a good answer for so long it is down. */
  readonly timeout: number;
  /** Between two probes while it is up; 0: as `interval`. */
  readonly upInterval: number;
  /** How long answers must be good before it is up. */
  readonly timeUntilUp: number;
  /** How long one probe may take. */
  readonly probeTimeout: number;
  /** Packets of one probe at most, and the time between two of them. */
  readonly probeAttempts: number;
  readonly probeInterval: number;
};

/** Anti-flap: who changes so often within a time is down until it has answered well for as long as `hold`. */
export type FlapLimit = { readonly changes: number; readonly window: number; readonly hold: number };

/** What is sent, and what an answer has to have; an empty text: nothing, or anything. */
export type Exchange = {
  readonly send: string;
  /** A regular expression within what is received; with `reverse` what must not be there. */
  readonly receive: string;
  /** A regular expression: the target is up, and shall get no new clients. */
  readonly receiveDisable: string;
};

export type TlsOptions = {
  /** OpenSSL's words. */
  readonly ciphers: string;
  /** Paths of PEM files; empty: none. */
  readonly certificate: string;
  readonly key: string;
  /** Sent in the handshake (SNI, RFC 6066, section 3); empty: none. */
  readonly serverName: string;
  /** Whether the certificate of the target is verified, and by which PEM file of authorities; empty: those of the system. */
  readonly verify: boolean;
  readonly authorities: string;
};

/** What a probe does. */
export type ProbeSpec =
  | { readonly type: 'icmp' | 'gateway-icmp' }
  | { readonly type: 'tcp-half-open' }
  | { readonly type: 'tcp' | 'udp'; readonly exchange: Exchange }
  | {
      readonly type: 'http';
      readonly exchange: Exchange;
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly type: 'https';
      readonly exchange: Exchange;
      readonly username: string;
      readonly password: string;
      readonly tls: TlsOptions;
    }
  | {
      readonly type: 'dns';
      /** The name that is asked for. */
      readonly name: string;
      readonly recordType: 'a' | 'aaaa';
      /** `query-type` of an answer that counts, or any that is there at all, or even none. */
      readonly contains: 'query-type' | 'any-type' | 'anything';
      readonly acceptsRcode: 'no-error' | 'anything';
      /** An address that has to be in the answer; empty: any. */
      readonly receive: string;
    }
  | {
      readonly type: 'external';
      /** The program, and its arguments behind address and port. */
      readonly run: string;
      readonly arguments: string;
      readonly variables: Readonly<Record<string, string>>;
    }
  /** Nothing is sent: what others say of the target counts. */
  | { readonly type: 'bigip' | 'virtual-location' };

export type Monitor = {
  readonly module: MonitorModule;
  readonly type: MonitorType;
  /** Full path: monitors of one module have one name space. */
  readonly name: string;
  readonly timing: Timing;
  readonly probe: ProbeSpec;
  /** Whether finding what `receive` says means that the target is down. */
  readonly isReverse: boolean;
  /** Whether the target is the next hop to `address`. */
  readonly isTransparent: boolean;
  /** What is probed instead of the target's own; undefined: the target's. */
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly manualResume: boolean;
  /** Whether only `timeout` takes a target down, however bad its answers are. */
  readonly ignoresDownResponse: boolean;
  readonly flapLimit: FlapLimit | undefined;
};

/** A rule over monitors: so many of them have to be up. */
export type MonitorRule = { readonly atLeast: number; readonly monitors: readonly Monitor[] };
