-- webhook.host_fault - why no webhook can have this host.
set local role leads_owner;

create or replace function webhook.host_fault(host text)
returns text language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_host text := lower(host_fault.host);
  v_address inet;
begin
  -- A label of digits at the end makes it an IPv4 address for some resolvers: 127.1, 0x7f000001.
  if v_host ~ '^\[|(^|\.)([0-9]+|0x[0-9a-f]*)\.?$' then
    begin
      v_address := case
        when v_host ~ '^\[[0-9a-f:.]+\]$' then btrim(v_host, '[]')
        when v_host ~ '^[0-9.]+$' and v_host !~ '(^|\.)0[0-9]' and array_length(string_to_array(v_host, '.'), 1) = 4 then v_host
      end::inet;
    exception
      when data_exception then
        null;
    end;
    return case
      when v_address is null then 'This is no valid IP address. Use a host name.'
      when v_address <<= '127.0.0.0/8' or v_address = '::1' then null
      when
        family(v_address) = 4
        and not v_address <<= any (array[
          '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '168.63.129.16', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
          '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
          '224.0.0.0/3'
        ]::inet[])
        or
        v_address <<= '2000::/3'
        and not v_address <<= any (array['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']::inet[])
      then null
      else 'The address is not a public one. The worker sends to public addresses only.'
    end;
  end if;
  if v_host = 'localhost' then
    return null;
  end if;
  if char_length(v_host) > 253 or v_host !~ '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}\.?$' then
    return 'This must be the full name of a public host, such as hooks.example.com. A name that is not in ASCII is written with xn--.';
  end if;
  return null;
end $$;

comment on function webhook.host_fault(text) is
$$Why the host of an address is not that of a webhook, as a sentence. Null: it can be.

It accepts names with a dot, public IP addresses, and this machine (localhost, 127.0.0.0/8, ::1), to which a worker sends only if
LEADS_ALLOW_LOOPBACK_VENDORS is 1. What a name resolves to is checked by the worker at each attempt (app/worker/guard.py).$$;

grant execute on function webhook.host_fault(text) to leads_exec, leads_jobs;
