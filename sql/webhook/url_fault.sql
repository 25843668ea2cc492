-- webhook.url_fault - why a text is not the address of a webhook.
set local role leads_owner;

create or replace function webhook.url_fault(url text)
returns text language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_authority text := substring(url_fault.url, '^[^:/?#]+://([^/?#]*)');
  v_host text := regexp_replace(v_authority, ':[0-9]*$', '');
  v_port text := substring(v_authority, ':([0-9]*)$');
begin
  return case
    when char_length(url_fault.url) > 2000 then 'This can have at most 2,000 characters.'
    when v_authority is null then 'This must be an address such as https://hooks.example.com/leads.'
    -- The characters of RFC 3986. Some programs rewrite others.
    when url_fault.url collate "C" !~ '^([A-Za-z0-9._~:/?\[\]@!$&''()*+,;=#-]|%[0-9A-Fa-f]{2})+$' then
      'This must have ASCII characters without spaces and backslashes. Others are written with %, such as %20.'
    when strpos(url_fault.url, '#') > 0 then 'This can''t have a part after #. Leave it out.'
    when strpos(v_authority, '@') > 0 then
      'This can''t have a user or a password. Each message has a signature, which the receiver can verify.'
    when v_host = '' then 'This must be an address with a host, such as https://hooks.example.com/leads.'
    when char_length(v_port) > 5 or v_port = '' or coalesce(v_port::integer not between 1 and 65535, false) then
      'The port must be from 1 to 65535.'
    when webhook.host_fault(v_host) is not null then webhook.host_fault(v_host)
    when
      lower(split_part(url_fault.url, ':', 1)) <> 'https'
      and not (
        lower(split_part(url_fault.url, ':', 1)) = 'http'
        and (lower(v_host) in ('localhost', '[::1]') or v_host ~ '^127\.[0-9]+\.[0-9]+\.[0-9]+$')
      )
    then 'This must be an https address.'
  end;
end $$;

comment on function webhook.url_fault(text) is
$$Why a text is not the address of a webhook, as a sentence. Null: it is one.

An address is https and has a public host (webhook.host_fault), or http or https and this machine. It has no user, no password
and no fragment, and at most 2,000 characters.$$;

grant execute on function webhook.url_fault(text) to leads_exec, leads_jobs;
