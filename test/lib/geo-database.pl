# Writes a MaxMind DB with MaxMind's own writer.
#
#   perl geo-database.pl FILE <JSON
#
# JSON: { "ipVersion", "recordSize", "databaseType", "aliases", "records": [[NETWORK, MAP], …] }. The type of a value is what its key begins
# with: `uint16`, `map` …, and `array_map` for an array of maps; any other key has a string.
use strict;
use warnings;
use JSON::PP;
use MaxMind::DB::Writer::Tree;

my ($file) = @ARGV;
my $wanted = JSON::PP->new->utf8->decode(do { local $/; <STDIN> });
my $scalar = qr/map|utf8_string|uint16|uint32|uint64|uint128|int32|double|float|boolean|bytes/;

sub type_of {
    my ($key) = @_;
    return ['array', $1] if $key =~ /^array_($scalar)/ || $key =~ /^(?:subdivisions)()/;
    return $1 if $key =~ /^($scalar)/;
    return 'map' if $key =~ /^(?:continent|country|city|traits|names)$/;
    return 'utf8_string';
}

my $tree = MaxMind::DB::Writer::Tree->new(
    ip_version               => $wanted->{ipVersion},
    record_size              => $wanted->{recordSize},
    database_type            => $wanted->{databaseType},
    languages                => ['en'],
    description              => { en => 'made for a test' },
    alias_ipv6_to_ipv4       => $wanted->{aliases} ? 1 : 0,
    remove_reserved_networks => 0,
    map_key_type_callback    => sub {
        my $type = type_of($_[0]);
        return ref $type && $type->[1] eq '' ? ['array', 'map'] : $type;
    },
);
$tree->insert_network(@$_) for @{ $wanted->{records} };
open my $out, '>:raw', $file or die "$file: $!";
$tree->write_tree($out);
close $out or die "$file: $!";
