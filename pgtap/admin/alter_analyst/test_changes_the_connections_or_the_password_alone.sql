begin;
select plan(4);

select make_analyst('ana');
select act_as('migrator');
select admin.alter_analyst(login('ana'), connections => 7);
select act_as('dba');
select results_eq(
  $$select r.rolconnlimit, r.rolpassword = verifier() from pg_authid as r where r.rolname = login('ana')$$,
  $$values (7, true)$$,
  'the number of connections changes'
);
select act_as('migrator');
select admin.alter_analyst(login('ana'), verifier => replace(verifier(), '4096', '4097'));
select act_as('dba');
select results_eq(
  $$select r.rolconnlimit, r.rolpassword = replace(verifier(), '4096', '4097') from pg_authid as r where r.rolname = login('ana')$$,
  $$values (7, true)$$,
  'the password changes'
);
select act_as('migrator');
select throws_ok(
  $$select admin.alter_analyst(login('ana'), verifier => 'open sesame')$$, 'PT422', 'invalid_verifier', 'a password in clear text'
);
select throws_ok($$select admin.alter_analyst(login('ana'), 0)$$, 'PT422', 'out_of_range', 'no connection');

select * from finish();
rollback;
