{#- The hash of each SDK family as SQL functions of the warehouse; analysis/catalogue/hashes.py says the rules.
    Functions, because spelled out in a model they would be pages. `family_shard(sdk, salt, unit)` is what models call;
    only the rows of a branch pay for it. -#}
{%- macro define_family_shards() -%}
create or replace macro fnv_code_units(content) as flatten(list_transform(
    list_transform(range(1, length(content) + 1), lambda place: unicode(substr(content, place, 1))),
    lambda point: case
        when point < 65536 then [cast(point as ubigint)]
        else [cast(55296 + (point - 65536) // 1024 as ubigint), cast(56320 + (point - 65536) % 1024 as ubigint)]
    end
));
create or replace macro fnv1a(content) as list_reduce(
    fnv_code_units(content),
    lambda hash, unit: (xor(hash, unit) * 16777619) & 4294967295,
    cast(2166136261 as ubigint)
);
create or replace macro fnv_shard(content) as cast(fnv1a(cast(fnv1a(content) as varchar)) % 10000 as bigint);

create or replace macro cbor_hex(content) as case
    when strlen(content) < 24 then printf('%02X', 96 + strlen(content))
    when strlen(content) < 256 then '78' || printf('%02X', strlen(content))
    else '79' || printf('%04X', strlen(content))
end || hex(encode(content));
create or replace macro murmur_rotated(number, bits) as ((number << bits) & 4294967295) | (number >> (32 - bits));
create or replace macro murmur_block(digits, place) as cast('0x'
    || rpad(substr(digits, place + 6, 2), 2, '0') || rpad(substr(digits, place + 4, 2), 2, '0')
    || rpad(substr(digits, place + 2, 2), 2, '0') || rpad(substr(digits, place, 2), 2, '0') as ubigint);
create or replace macro murmur_scrambled(block) as
    murmur_rotated((block * 3432918353) & 4294967295, 15) * 461845907 & 4294967295;
create or replace macro murmur_body(digits) as list_reduce(
    list_transform(range(1, length(digits) - 6, 8), lambda place: murmur_scrambled(murmur_block(digits, place))),
    lambda hash, block: (murmur_rotated(xor(hash, block), 13) * 5 + 3864292196) & 4294967295,
    cast(0 as ubigint)
);
create or replace macro murmur_tail(digits) as case
    when length(digits) % 8 = 0 then cast(0 as ubigint)
    else murmur_scrambled(murmur_block(digits, length(digits) // 8 * 8 + 1))
end;
create or replace macro murmur_mixed(number) as list_transform(
    [xor(number, number >> 16) * 2246822507 & 4294967295],
    lambda once: list_transform(
        [xor(once, once >> 13) * 3266489909 & 4294967295], lambda twice: xor(twice, twice >> 16)
    )[1]
)[1];
create or replace macro murmur3(digits) as list_transform(
    [xor(xor(murmur_body(digits), murmur_tail(digits)), cast(length(digits) // 2 as ubigint))],
    lambda number: murmur_mixed(number)
)[1];
create or replace macro murmur_shard(content) as
    cast(list_transform([cbor_hex(content)], lambda digits: murmur3(digits) * 10000 >> 32)[1] as bigint);

create or replace macro family_shard(sdk, salt, unit) as case sdk
    when 'flagd' then murmur_shard(salt || '-' || unit)
    when 'growthbook' then fnv_shard(salt || '-' || unit)
    else {{ shard('salt', 'unit') }}
end;
{%- endmacro -%}
