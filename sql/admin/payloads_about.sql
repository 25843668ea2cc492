-- admin.payloads_about - finds payloads of an archive that have an address or a phone number, for leads erase --archive.
set local role leads_jobs;

create or replace function admin.payloads_about(organization_id uuid, payloads json[], email text, phone text)
returns table (number bigint) language sql stable security definer
begin atomic
  with person as (
    select
      lower(payloads_about.email collate "C") as email,
      app.phone_keys(payloads_about.phone, payloads_about.organization_id) as phones,
      app.country_code(payloads_about.organization_id) as country_code
  )
  select p.number
  from unnest(payloads_about.payloads) with ordinality as p (payload, number)
  cross join person as w
  where
    w.email in (
      lower(p.payload #>> '{diff,email,from}' collate "C"), lower(p.payload #>> '{diff,email,to}' collate "C")
    )
    or payloads_about.phone is not null and array[
      app.phone_key(p.payload #>> '{diff,phone,from}', w.country_code),
      app.phone_key(p.payload #>> '{diff,phone,to}', w.country_code)
    ] && w.phones
  order by p.number;
end;

comment on function admin.payloads_about(uuid, json[], text, text) is
$$The numbers of the payloads, from 1, that have the e-mail address or the phone number, as admin.find_leads_to_erase compares them.

email, phone: null: it is not searched for. The function reads no lead.$$;

grant execute on function admin.payloads_about(uuid, json[], text, text) to leads_operator;
