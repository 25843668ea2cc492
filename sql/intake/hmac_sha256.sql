-- intake.hmac_sha256 - a keyed hash of a message.
set local role leads_owner;

create or replace function intake.hmac_sha256(key bytea, message bytea)
returns bytea language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_key bytea := case when octet_length(hmac_sha256.key) > 64 then sha256(hmac_sha256.key) else hmac_sha256.key end;
  v_inner bytea;
  v_outer bytea;
begin
  v_key := v_key || decode(repeat('00', 64 - octet_length(v_key)), 'hex');
  v_inner := v_key;
  v_outer := v_key;
  for v_byte in 0 .. 63 loop
    v_inner := set_byte(v_inner, v_byte, get_byte(v_key, v_byte) # x'36'::integer);
    v_outer := set_byte(v_outer, v_byte, get_byte(v_key, v_byte) # x'5c'::integer);
  end loop;
  return sha256(v_outer || sha256(v_inner || hmac_sha256.message));
end $$;

comment on function intake.hmac_sha256(bytea, bytea) is
  'HMAC-SHA-256 (RFC 2104) of a message, 32 bytes. key: of any length. The extension pgcrypto has the function too, but not every '
  'server has the extension.';

grant execute on function intake.hmac_sha256(bytea, bytea) to leads_intake, leads_exec, leads_jobs;
