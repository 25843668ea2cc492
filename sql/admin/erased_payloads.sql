-- admin.erased_payloads - replaces the personal values in payloads of an archive, for leads erase --archive.
set local role leads_jobs;

create or replace function admin.erased_payloads(payloads json[])
returns table (number bigint, payload text) language sql immutable security definer
begin atomic
  select p.number, audit.erased_payload(p.payload)::text
  from unnest(erased_payloads.payloads) with ordinality as p (payload, number)
  order by p.number;
end;

comment on function admin.erased_payloads(json[]) is
  'audit.erased_payload of each payload, with its number in the array, from 1. It reads no table.';

grant execute on function admin.erased_payloads(json[]) to leads_operator;
