-- auth.new_key - makes an API key. It is the only definition of a key's form.
set local role leads_auth;

create or replace function auth.new_key(environment text)
returns text language plpgsql volatile parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_digits text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  -- 244 random bits. A UUID comes from the operating system's source of randomness.
  v_random bytea := sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
  v_stem text;
  v_bytes bytea;
  v_sum bigint := 4294967295;
  v_end text := '';
begin
  -- 248 is a multiple of 62, so that each digit is as probable. Of 64 bytes, 30 are always below it.
  v_stem := concat('lk_', new_key.environment, '_', (
    select left(string_agg(substr(v_digits, get_byte(v_random, b.position) % 62 + 1, 1), ''), 30)
    from generate_series(0, 63) as b (position)
    where get_byte(v_random, b.position) < 248
  ));

  -- CRC-32 as in zlib. PostgreSQL has a function of its own from version 18 on.
  v_bytes := convert_to(v_stem, 'UTF8');
  for v_position in 0 .. octet_length(v_bytes) - 1 loop
    v_sum := v_sum # get_byte(v_bytes, v_position);
    for v_bit in 1 .. 8 loop
      v_sum := (v_sum >> 1) # (v_sum & 1) * 3988292384;
    end loop;
  end loop;
  v_sum := v_sum # 4294967295;
  for v_position in 1 .. 6 loop
    v_end := substr(v_digits, (v_sum % 62)::integer + 1, 1) || v_end;
    v_sum := v_sum / 62;
  end loop;
  return v_stem || v_end;
end $$;

comment on function auth.new_key(text) is
$$A new key: lk_, live or test, 30 random base62 characters (178 bits), and a checksum.

The checksum is the CRC-32 (as in zlib) of the text before it, in base62, padded with 0 to six characters. With it a secret
scanner recognizes a key, and a typing error is detected without the database. No statement of a client has the key as a
parameter, so that a server that logs parameters does not log it.$$;

grant execute on function auth.new_key(text) to leads_exec, leads_jobs;
