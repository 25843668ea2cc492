begin;
select plan(5);

select make_analyst('ana');
select make_analyst('ben', '2100-01-01 09:00+09');
select results_eq(
  $$select a.login, a.organization_id, a.organization, a.state, a.expires_at from admin.analysts() as a where a.login = login('ben')$$,
  $$values (login('ben'), organization('bob'), 'The organization of bob', 'good', '2100-01-01T00:00:00.000Z')$$,
  'good'
);
select act_as('dba');
insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
select organization('alice'), 1, 'an_old_one', now();
select is((select a.state from admin.analysts() as a where a.login = 'an_old_one'), 'gone', 'a login that doesn''t exist is gone, even if its binding has expired');
do $$
begin
  execute format('alter role %I nologin', login('ben'));
end
$$;
select act_as('operator');
select is((select a.state from admin.analysts() as a where a.login = login('ben')), 'revoked', 'revoked');
select is((select count(*) from admin.analysts(organization('bob'))), 1::bigint, 'only bob''s analysts');
select is(
  (select count(*) from admin.analysts('00000000-0000-7000-8000-000000000000')), 0::bigint, 'an unknown organization has no analysts'
);

select * from finish();
rollback;
