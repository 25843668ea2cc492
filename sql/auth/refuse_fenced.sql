-- auth.refuse_fenced - refuses what a request does after its organization was fenced.
set local role leads_auth;

create or replace function auth.refuse_fenced()
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT503' using message = 'moving';
end $$;

comment on function auth.refuse_fenced() is 'Raises PT503 moving.';
