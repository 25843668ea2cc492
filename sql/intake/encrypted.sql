-- intake.encrypted - encrypts and decrypts the secret of a form with its token.
set local role leads_owner;

create or replace function intake.encrypted(value bytea, claim bytea, nonce bytea)
returns bytea language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_stream bytea := '';
  v_result bytea := encrypted.value;
begin
  while octet_length(v_stream) < octet_length(encrypted.value) loop
    v_stream := v_stream || intake.hmac_sha256(encrypted.claim, encrypted.nonce || int4send(octet_length(v_stream)));
  end loop;
  for v_byte in 0 .. octet_length(encrypted.value) - 1 loop
    v_result := set_byte(v_result, v_byte, get_byte(encrypted.value, v_byte) # get_byte(v_stream, v_byte));
  end loop;
  return v_result;
end $$;

comment on function intake.encrypted(bytea, bytea, bytea) is
$$The value, encrypted with the claim; encrypted again, it is the value.

claim: SHA-256 of the token, which the database does not store. A request of the form has it, and nothing else does. nonce: 16
random bytes. The value is combined by XOR with HMAC-SHA-256 of the nonce and a counter (a stream cipher). Nobody can change
it unnoticed: what is decrypted is compared with a signature.$$;

grant execute on function intake.encrypted(bytea, bytea, bytea) to leads_intake, leads_exec, leads_jobs;
