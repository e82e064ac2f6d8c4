{#- shard(salt, unit) = first 8 hex digits of md5("{salt}-{unit}") mod 10,000: what the SDKs compute. -#}
{%- macro shard(salt, unit) -%}
  (cast('0x' || substr(md5({{ salt }} || '-' || {{ unit }}), 1, 8) as bigint) % 10000)
{%- endmacro -%}
