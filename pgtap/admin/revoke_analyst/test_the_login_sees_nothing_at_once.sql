begin;
select plan(6);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana');
select make_analyst('ben');
select act_as('ana');
select isnt_empty('select from bi.leads', 'before');

select act_as('migrator');
select lives_ok($$select admin.revoke_analyst(login('ana'))$$, 'revoked');
select lives_ok($$select admin.disable_analyst(login('ana'))$$, 'disabled');
select is((select r.rolcanlogin from pg_roles as r where r.rolname = login('ana')), false, 'it can''t log in');
select act_as('ana');
select is_empty('select from bi.leads', 'after');
select act_as('ben');
select is(bound_organization(), organization('bob'), 'another login is unchanged');

select * from finish();
rollback;
